# SPDX-License-Identifier: Apache-2.0
"""``map.html``: a mapping to a mesh on one page that needs nothing beside it."""

from importlib.resources import files

import numpy as np

from .. import __version__
from ..commands.text import amount, count, network_line, percent, size
from ..mapped import Mapped
from ..models.mesh.costs import key_costs, memory_costs
from ..models.mesh.report import RESOURCES
from ..models.mesh.traffic import LINKS
from .figures import hops_figure
from .html import Markup, bar, facts, section, table, tag
from .mesh_drawing import as_svg
from .mesh_shapes import Drawing, draw_mesh, link_says, use_bars, use_says

__all__ = ["map_drawing", "map_title", "render_map"]

_CONTENTS = (("mesh", "Mesh"), ("tiles", "Tiles"), ("traffic", "Traffic"), ("queues", "Queues"),
             ("memory", "Memory"))


def map_title(mapped: Mapped) -> str:
    """One line over the picture."""
    config = mapped.config
    return (f"{mapped.build.network.name} on {config.rows} x {config.cols} tiles, "
            f"{config.routing}, " + ("rates of a profile run" if mapped.profiled else
                                     "every source active in every step"))


def map_drawing(mapped: Mapped) -> Drawing:
    """The mesh with occupancy and expected traffic."""
    use, traffic, depth = mapped.use, mapped.traffic, mapped.config.tile.queue_depth
    says = [use_says(mapped.config, number, tile, [
        f"queue: at most {traffic.queue[number]:,} of {depth:,} entries",
        f"receives {amount(traffic.links[number, 4])} packets per step"])
        for number, tile in enumerate(use.tiles)]
    return draw_mesh(mapped.program, use.tiles, links=traffic.links, entering=traffic.entering,
                     bars=use_bars(use.tiles), says=says)


def render_map(mapped: Mapped) -> str:
    """HTML text of the page."""
    body = [_header(mapped),
            tag("nav", Markup("".join(tag("a", title, href=f"#{name}")
                                      for name, title in _CONTENTS))),
            _mesh(mapped), _tiles(mapped), _traffic(mapped), _queues(mapped), _memory(mapped),
            tag("footer", f"neurotile {__version__} · network {mapped.build.network.digest[:12]} · "
                          f"program {mapped.program.digest[:12]}")]
    here = files(__package__)
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("style.css", "mesh.js"))
    return "".join([
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<link rel=\"icon\" href=\"data:,\">\n",
        tag("title", f"{mapped.build.network.name} on a mesh"),
        f"\n<style>\n{style}</style>\n</head>\n<body>\n", tag("main", Markup("\n".join(body))),
        f"\n<script>\n{script}</script>\n</body>\n</html>\n"])


def _header(mapped: Mapped) -> Markup:
    use, traffic, config = mapped.use, mapped.traffic, mapped.config
    neurons = use.total("neurons")
    tiles = [("tiles", f"{use.used.used} of {use.used.available}",
              f"{config.rows} x {config.cols}"),
             ("neurons", f"{neurons.used:,}", f"{percent(neurons.share)} of the used tiles'"),
             ("weights not 0", percent(use.stored.share), "of the synapse memory"),
             ("synapses per weight", f"{mapped.sharing:.2f}", f"{use.synapses:,} synapses"),
             ("hops per packet", f"{traffic.mean_hops:.2f}", "links, on average"),
             ("queue", f"{mapped.queue_bound:,}", f"of {config.tile.queue_depth:,} at most")]
    network = mapped.build.network
    notes = [tag("p", note, class_="note") for note in mapped.build.notes
             if not note.startswith("tile:")]
    return tag("header", Markup(
        tag("h1", network.name)
        + tag("p", f"{network_line(network).partition(': ')[2]} · {config.name}, {config.routing}")
        + tag("div", Markup("".join(
            tag("div", Markup(tag("span", name) + tag("b", value) + tag("small", note)),
                class_="tile") for name, value, note in tiles)), class_="tiles")
        + "".join(notes)))


def _rates(mapped: Mapped) -> str:
    if mapped.profiled:
        return "Packets are those of a profile run of the golden model on the given input."
    return ("Packets are those of a step in which every input line and every neuron is active; "
            "give --input for those of a typical input.")


def _mesh(mapped: Mapped) -> Markup:
    return section(
        "mesh", "Mesh",
        tag("div", Markup(as_svg(map_drawing(mapped), label="the mesh")), class_="scroll"),
        tag("div", "Point at a tile, a link or a host port to read its numbers.", id="numbers",
            class_="numbers"),
        tag("p", f"{_rates(mapped)} Every link is drawn wider and more red, the more packets it "
                 "carries.", class_="note"))


def _tiles(mapped: Mapped) -> Markup:
    rows = []
    for number, use in enumerate(mapped.use.tiles):
        names = ", ".join(f"{name} ({part:,})" for name, part in use.populations.items())
        rows.append([number, names or "–",
                     *(f"{getattr(use, name).used:,}" for _, name in RESOURCES),
            percent(use.weights.share) if use.weights.available else "–",
            f"{mapped.traffic.queue[number]:,}"])
    tile, config = mapped.config.tile, mapped.config
    rows.append(["each has", "", f"{tile.neurons:,}", f"{tile.axons:,}", f"{tile.synapse_words:,}",
                 f"{config.routes:,}", "", f"{tile.queue_depth:,}"])
    return section("tiles", "Tiles", table(
        ["tile", "populations", *(label for label, _ in RESOURCES), "weights not 0", "queue bound"],
        rows, left=2))


def _traffic(mapped: Mapped) -> Markup:
    traffic, config = mapped.traffic, mapped.config
    links = traffic.links[:, :4]
    order = np.argsort(-links, axis=None, kind="stable")[:8]
    rows = []
    for tile, port in (np.unravel_index(int(k), links.shape) for k in order):
        if links[tile, port]:
            rows.append([link_says(config, int(tile), int(port)), amount(links[tile, port]),
                         bar(links[tile, port] / links.max())])
    parts = [tag("figure", Markup(hops_figure(traffic.hops) + tag("figcaption", (
        "Packets per step by the links that they cross; the way out to the host is one. "
        "A copy of a packet that forks counts by itself.")))),
        tag("h3", "Busiest links"), table(["link", "packets per step", ""], rows),
        facts([("arrive per step", amount(traffic.hops.sum())),
               ("hops on average", f"{traffic.mean_hops:.2f}"),
               ("enter from the host", amount(traffic.entering.sum())),
               ("leave to the host", amount(traffic.links[::config.cols, LINKS.index("west")].sum()
                                            ))])]
    return section("traffic", "Traffic", *parts, tag("p", _rates(mapped), class_="note"))


def _queues(mapped: Mapped) -> Markup:
    depth, bound, use = mapped.config.tile.queue_depth, mapped.queue_bound, mapped.use
    verdict = ("No stimulus can overflow a queue." if mapped.safe else
               "A busy stimulus could overflow a queue; a run would count what is lost.")
    drain = (f" The answer is complete {count(use.drain, 'step')} after the last input."
             if use.drain else "")
    return section("queues", "Queues", tag(
        "p", f"If all sources of a tile fire in every step, its queue holds up to {bound:,} "
             f"entries; it has {depth:,} (queue_depth). {verdict}{drain}",
        class_="note" if mapped.safe else "warning"))


def _memory(mapped: Mapped) -> Markup:
    costs = memory_costs(mapped.config)
    total = sum(cost.bits for cost in costs)
    rows = [[cost.name, f"{cost.words:,}", f"{cost.word} b", size(cost.bits),
             percent(cost.bits / total), bar(cost.bits / total)] for cost in costs]
    keys = [[key.key, ", ".join(key.memories), f"{key.value:,}", f"{key.tried:,}",
             ("+" if key.change > 0 else "−") + size(abs(key.change))]
            for key in key_costs(mapped.config)]
    return section(
        "memory", "Memory", tag("p", f"{size(total)} in {count(mapped.config.tiles, 'tile')}, in "
                                     "use or not."),
        table(["memory", "words per tile", "word", "all tiles", "share", ""], rows),
        tag("h3", "What a key costs"),
        table(["key", "memories", "is", "if it were", "bits more"],
              [[key, Markup(tag("span", names, class_="wrap")), *more]
               for key, names, *more in keys], left=2))
