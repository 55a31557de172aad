# SPDX-License-Identifier: Apache-2.0
"""The command line (docs/cli.md): arguments only; a command imports what it needs when it runs."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from . import __version__
from .spec import UserError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


class Engine(StrEnum):
    """Engines that run a network."""

    GOLDEN = "golden"
    FAST = "fast"
    RTL = "rtl"


class TileEngine(StrEnum):
    """Engines that know cycles."""

    FAST = "fast"
    RTL = "rtl"


Model = Annotated[Path, typer.Argument(metavar="MODEL.nir", help="network as a NIR file")]
Preset = Annotated[str | None, typer.Option(
    "--preset", metavar="NAME", help="tile by name; default: the smallest that fits")]
Config = Annotated[Path | None, typer.Option(
    "--config", metavar="TILE.toml", help="tile or mesh from a TOML file")]
WeightBits = Annotated[int | None, typer.Option(
    min=1, max=16, help="bits of a weight; default: the tile's")]
StateBits = Annotated[int | None, typer.Option(
    min=8, max=32, help="bits of a potential; default: the tile's")]
Dt = Annotated[float | None, typer.Option(
    metavar="SECONDS", help="length of a step, if the file does not say")]
Reset = Annotated[list[str] | None, typer.Option(
    metavar="[NODE=]zero|subtract", help="what a spike does to the potential; may be repeated")]
Mesh = Annotated[str | None, typer.Option(
    metavar="auto|ROWSxCOLS", help="put the network on a mesh of tiles")]
Routing = Annotated[str | None, typer.Option(
    metavar="unicast|multicast", help="a packet per destination, or one that forks; with --mesh")]
Delay = Annotated[str | None, typer.Option(
    metavar="scdq|ring", help="delays by queue or by ring buffer; with --mesh")]
Queue = Annotated[str | None, typer.Option(
    metavar="worst_case|profiled|fixed", help="depth of the queues of a mesh")]
Margin = Annotated[float | None, typer.Option(
    metavar="FACTOR", help="of queues by profile, 1..16; default 1.25")]
Spread = Annotated[bool, typer.Option(
    "--spread", help="use all tiles of the mesh evenly, not as few as possible")]
NoShare = Annotated[bool, typer.Option(
    "--no-share", help="a place of its own in the memories of a mesh for every synapse")]
Learn = Annotated[Path | None, typer.Option(
    metavar="LEARN.toml", help="which projections learn, and how (docs/cli.md)")]


def _mesh_options(mesh: str | None, preset: str | None, config: Path | None, *,
                  routing: str | None, delay: str | None, queue: str | None = None,
                  margin: float | None = None, spread: bool, no_share: bool) -> Any:
    """Options of the mapper of meshes; None where no mesh is asked for."""
    if all(value is None for value in (mesh, routing, delay, queue, margin)) and not spread \
            and not no_share:
        return None
    from .commands.run import network_configuration
    from .mesh_options import options_of
    return options_of(mesh, given=network_configuration(preset, config), routing=routing,
                      delay=delay, queue=queue, margin=margin, spread=spread, share=not no_share)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
          ) -> None:
    """Runs spiking networks on a digital neuromorphic tile: in software, in a cycle-exact simulator
    and in its Verilog.

    \b
    Start with
      neurotile demo
    """
    if version:
        print(f"neurotile {__version__}")
        raise typer.Exit


@app.command()
def run(
    model: Model,
    spikes: Annotated[Path, typer.Option(
        "--input", metavar="SPIKES.npz",
        help="'spikes' of 0/1, (steps, inputs) or (samples, steps, inputs); maybe 'labels'")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="run directory to write")],
    engine: Annotated[Engine, typer.Option(help="what runs the network")] = Engine.FAST,
    preset: Preset = None, config: Config = None,
    weight_bits: WeightBits = None, state_bits: StateBits = None, dt: Dt = None,
    reset: Reset = None,
    keep_state: Annotated[bool, typer.Option(
        "--keep-state", help="samples follow each other without starting from zero")] = False,
    samples: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="only the first N samples")] = None,
    record: Annotated[list[str] | None, typer.Option(
        metavar="NODE[:NEURONS]", help="keep potentials, as lif1 or lif1:0,4,8-11; may be repeated"
    )] = None,
    learn: Learn = None,
    weights_every: Annotated[int, typer.Option(
        min=0, metavar="N", help="keep the plastic weights after every N steps")] = 0,
    mesh: Mesh = None, routing: Routing = None, delay: Delay = None, queue: Queue = None,
    margin: Margin = None, spread: Spread = False, no_share: NoShare = False,
    no_report: Annotated[bool, typer.Option(
        "--no-report", help="leave out report.html")] = False,
) -> None:
    """Run a network on spikes and write spikes, cycles, memories, metrics and a report.

    Exits with 1 if spikes were dropped for want of room in the event queue.

    \b
    Example
      neurotile run model.nir --input spikes.npz --out out/first
      neurotile run model.nir --input spikes.npz --engine rtl --out out/rtl
      neurotile compare out/first out/rtl
    """
    from .commands.run import run_command
    raise typer.Exit(run_command(
        model, spikes, out, engine=engine.value, preset_name=preset, config=config,
        weight_bits=weight_bits, state_bits=state_bits, dt=dt, reset=reset or [],
        keep_state=keep_state, samples=samples, record=record or [], learn=learn,
        weights_every=weights_every, report=not no_report,
        mesh=_mesh_options(mesh, preset, config, routing=routing, delay=delay, queue=queue,
                           margin=margin, spread=spread, no_share=no_share)))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="DIR_A", help="a run directory")],
    b: Annotated[Path, typer.Argument(metavar="DIR_B", help="another one")],
) -> None:
    """Check that two runs agree in all that both have: spikes, potentials, states, weights, cycles.

    Exits with 0, or with 1 after showing the first difference in its context. Refuses (2) runs of
    different networks, quantisations or stimuli.

    \b
    Example
      neurotile compare out/fast out/rtl
    """
    from .compare import compare as compare_runs
    result = compare_runs(a, b)
    print("\n".join(result.lines()))
    raise typer.Exit(0 if result.same else 1)


@app.command()
def rtl(
    out: Annotated[Path, typer.Option(metavar="rtl_out/NAME", help="directory to write")],
    model: Annotated[Path | None, typer.Argument(
        metavar="[MODEL.nir]", help="network to write memory images and test vectors for")] = None,
    preset: Preset = None, config: Config = None, weight_bits: WeightBits = None,
    state_bits: StateBits = None, dt: Dt = None, reset: Reset = None, learn: Learn = None,
) -> None:
    """Write a tile as Verilog, with an inventory of its state bits and a self-checking testbench.

    \b
    Example
      neurotile rtl --preset default --out rtl_out/default
      neurotile rtl model.nir --out rtl_out/model
    """
    from .commands.rtl import rtl_command
    rtl_command(model, out, preset_name=preset, config=config, weight_bits=weight_bits,
                state_bits=state_bits, dt=dt, reset=reset or [], learn=learn)


@app.command()
def info(
    model: Model, preset: Preset = None, config: Config = None, weight_bits: WeightBits = None,
    state_bits: StateBits = None, dt: Dt = None, reset: Reset = None, learn: Learn = None,
    mesh: Mesh = None, routing: Routing = None, delay: Delay = None, spread: Spread = False,
    no_share: NoShare = False,
) -> None:
    """Say what a network contains, what it needs, and whether it fits a tile.

    \b
    Example
      neurotile info model.nir
    """
    from .commands.info import info_command
    info_command(model, preset_name=preset, config=config, weight_bits=weight_bits,
                 state_bits=state_bits, dt=dt, reset=reset or [], learn=learn,
                 mesh=_mesh_options(mesh, preset, config, routing=routing, delay=delay,
                                    spread=spread, no_share=no_share))


@app.command("map")
def map_(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="DIR", help="directory to write")],
    spikes: Annotated[Path | None, typer.Option(
        "--input", metavar="SPIKES.npz",
        help="typical spikes: places tiles and counts packets by them")] = None,
    preset: Preset = None, config: Config = None, weight_bits: WeightBits = None,
    state_bits: StateBits = None, dt: Dt = None, reset: Reset = None, mesh: Mesh = None,
    routing: Routing = None, delay: Delay = None, queue: Queue = None, margin: Margin = None,
    spread: Spread = False, no_share: NoShare = False,
) -> None:
    """Map a network to a mesh of tiles, and draw which tile holds what and sends how much where.

    \b
    Example
      neurotile map model.nir --mesh 4x4 --out out/map
      neurotile map model.nir --config out/map/mesh.toml --out out/again
    """
    from .commands.map import map_command
    map_command(
        model, out, spikes=spikes, preset_name=preset, config=config, weight_bits=weight_bits,
        state_bits=state_bits, dt=dt, reset=reset or [],
        mesh=_mesh_options(mesh, preset, config, routing=routing, delay=delay, queue=queue,
                           margin=margin, spread=spread, no_share=no_share))


@app.command()
def bench(
    workload: Annotated[Path, typer.Argument(
        metavar="WORKLOAD.npz", help="integer network, stimulus and expected spikes")],
    engine: Annotated[TileEngine, typer.Option(help="what is measured")] = TileEngine.FAST,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,
    no_cycles: Annotated[bool, typer.Option(
        "--no-cycles", help="fast engine of a mesh without network, queues and timing")] = False,
) -> None:
    """Measure the speed of an engine, and check its spikes.

    A network that fits no preset of a tile runs on the smallest mesh.

    \b
    Example
      neurotile bench workload.npz --json
    """
    from .commands.bench import bench_command
    raise typer.Exit(bench_command(workload, engine=engine.value, as_json=as_json,
                                 cycles=not no_cycles))


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(
        metavar="SWEEP.toml", help="network, input, and lists of values (docs/sweep.md)")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="directory to write")],
    workers: Annotated[int, typer.Option(
        min=1, max=64, metavar="N", help="processes; the result does not depend on it")] = 2,
) -> None:
    """Run a network on many tiles or meshes, and write a table and a picture of them.

    \b
    Example
      neurotile sweep sweep.toml --out out/sweep
    """
    from .commands.sweep import sweep_command
    sweep_command(file, out, workers=workers)


@app.command("odin-replay")
def odin_replay(
    traces: Annotated[list[Path] | None, typer.Argument(
        metavar="TRACE.npz ...", help="recorded runs of ODIN")] = None,
    engine: Annotated[Engine, typer.Option(help="what runs the events")] = Engine.FAST,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON per trace")] = False,
    example: Annotated[bool, typer.Option(
        "--example", help="a small trace made on the spot by the golden engine")] = False,
    synapses_only: Annotated[bool, typer.Option(
        "--synapses-only", help="only the synapse memory, with the recorded flags; any neurons")
    ] = False,
    speed: Annotated[bool, typer.Option(
        "--speed", help="run once more without comparing, to measure the engine")] = False,
) -> None:
    """Replay recorded runs of ODIN and compare spikes and memories after every event.

    Exits with 0, with 1 if anything differs, with 2 if a trace is wrong or not supported.

    \b
    Example
      neurotile odin-replay trace.npz --engine rtl
      neurotile odin-replay --example
    """
    from .commands.odin_replay import odin_replay_command
    raise typer.Exit(odin_replay_command(
        traces or [], engine=engine.value, as_json=as_json, example=example,
        synapses_only=synapses_only, measure=speed))


@app.command()
def learn(
    data: Annotated[Path | None, typer.Option(
        metavar="DIR", help="folder with the four MNIST files; default: embedded digits")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="directory to write")
                   ] = Path("out/learn"),
    images: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="images to teach; default: 6000, or all that there are")] = None,
    test_images: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="only the first N test images")] = None,
    neurons_per_class: Annotated[int, typer.Option(
        min=1, max=25, metavar="N", help="output neurons of each class")] = 1,
    seed: Annotated[int, typer.Option(
        min=0, help="draws images, first weights and learning spikes")] = 0,
    engine: Annotated[Engine, typer.Option(help="what runs the tile")] = Engine.FAST,
    protocol: Annotated[Path | None, typer.Option(
        metavar="PROTOCOL.toml", help="how images are taught; default: the best found")] = None,
    no_deskew: Annotated[bool, typer.Option(
        "--no-deskew", help="MNIST as it is, not sheared upright")] = False,
    offline: Annotated[bool, typer.Option(
        "--offline", help="teach nothing: ask with weights trained off-line")] = False,
) -> None:
    """Teach images to a tile in event mode by SDSP, then ask it for the test images.

    \b
    Example
      neurotile learn
      neurotile learn --data mnist --out out/mnist
      neurotile learn --data mnist --offline
    """
    from .commands.learn import learn_command
    learn_command(out, data=data, images=images, test_images=test_images,
                  per_class=neurons_per_class, seed=seed, engine=engine.value, protocol=protocol,
                  deskew=not no_deskew, offline=offline)


@app.command()
def presets(
    toml: Annotated[str | None, typer.Option(
        metavar="NAME", help="print this preset as TOML, to start a --config file from")] = None,
) -> None:
    """List the tiles and meshes that have a name.

    \b
    Example
      neurotile presets --toml default > tile.toml
    """
    from .commands.presets import presets_command
    presets_command(toml)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="directory to write")] = Path("out/demo"),
) -> None:
    """Run the embedded digits network on its test images, write the tile's Verilog and a report.

    \b
    Example
      neurotile demo
    """
    from .commands.demo import demo_command
    demo_command(out)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    try:
        app(prog_name="neurotile")
    except UserError as error:
        text = str(error)
    except OSError as error:  # a full disc, a file without permission
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    else:
        return
    print("neurotile:", " ".join(text.split()), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
