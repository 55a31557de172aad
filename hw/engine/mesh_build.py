# SPDX-License-Identifier: Apache-2.0
"""Builds the simulator library of a mesh."""

from pathlib import Path

from ...spec import MeshConfig
from ...spec.mesh_config import packet_word
from .build import VERILATE, build_sources, verilog_of
from .row_writes import whole_row_writes

__all__ = ["build_mesh_library", "build_mesh_sources", "mesh_bench", "mesh_library_of",
           "mesh_sources"]

# Verilator writes one C++ function for all tiles if their logic is the same, name for name: tiles
# stay modules, their place is no constant (which a visible variable is not, here), and names are
# not numbered through the whole mesh (dfg-scoped). The code of 16 tiles is then that of one: it
# is compiled in a fifth of the time, and runs faster because it stays in the cache.
_SHARED = "".join(f'no_inline -module "{module}"\n' + "".join(
    f'public_flat_rd -module "{module}" -var "{name}"\n' for name in ("x", "y"))
    for module in ("mesh_tile", "router"))
_OPTIONS = (*VERILATE, "-fno-dfg-scoped")
_OBSERVED = 'public_flat_rd -module "mesh_tile.membrane_memory" -var "membrane"\n'


def mesh_bench(config: MeshConfig) -> str:
    """Verilog of module ``bench``: a mesh that resets itself, its host ports in vectors.

    Spikes are always accepted, and answers. ``i_payload`` is there for tile_sim.h alone.
    """
    rows, width = config.rows, packet_word(config).width
    bits = max(64 * rows, 128)  # so that Verilator always makes an array of it
    ports = ",\n    ".join(
        f".i__{r}__valid(i_valid[{r}]), .i__{r}__ready(i_ready[{r}]), "
        f".i__{r}__payload(packets[{64 * r} +: {width}]),\n    "
        f".o__{r}__valid(o_valid[{r}]), .o__{r}__ready(1'b1), "
        f".o__{r}__payload(o_packets[{64 * r} +: {width}])" for r in range(rows))
    return f"""
module bench (
  input clk,
  input [{rows - 1}:0] i_valid, input i_payload, input [{bits - 1}:0] packets,
  output [{rows - 1}:0] i_ready,
  output [{rows - 1}:0] o_valid, output [{bits - 1}:0] o_packets,
  input end_valid, output end_ready,
  input [63:0] request_payload, input request_valid, output request_ready,
  output [31:0] response_payload, output response_valid,
  output barrier, output held
);
  reg rst = 1;
  always @(posedge clk) rst <= 0;

  mesh mesh (.clk(clk), .rst(rst),
    {ports},
    .end_valid(end_valid), .end_ready(end_ready), .barrier(barrier), .held(held),
    .request__payload(request_payload), .request__valid(request_valid),
    .request__ready(request_ready),
    .response__payload(response_payload), .response__valid(response_valid),
    .response__ready(1'b1));
endmodule
"""


def mesh_library_of(config: MeshConfig) -> Path:
    """Simulator library of a mesh; neither elaborated nor built if the cache has it.

    Raises
    ------
    UserError
        Verilator or the C++ compiler is not installed.
    """
    return build_mesh_library(config, verilog_of(config))


def build_mesh_library(config: MeshConfig, verilog: str) -> Path:
    """Shared library that simulates module ``mesh`` of this Verilog text."""
    return build_mesh_sources(mesh_sources(config, verilog))


def mesh_sources(config: MeshConfig, verilog: str) -> dict[str, str]:
    """Texts that the library is built from, by the names of their files."""
    names = {"tile_sim.h": "tile_sim.h", "harness.cpp": "mesh_harness.cpp"}
    return {"tile.vlt": f"`verilator_config\n{_SHARED}{_OBSERVED}", "bench.v": mesh_bench(config),
            "tile.v": whole_row_writes(verilog),
            **{name: Path(__file__).with_name(file).read_text() for name, file in names.items()}}


def build_mesh_sources(sources: dict[str, str]) -> Path:
    """Shared library of such texts."""
    return build_sources(sources, _OPTIONS, ("SITES",))
