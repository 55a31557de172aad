# SPDX-License-Identifier: Apache-2.0
"""The network and the barrier alone in Verilator, with stubs in place of tiles."""

import ctypes
from collections.abc import Sequence
from ctypes import c_int64, c_void_p
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec import MeshConfig, UserError
from ...spec.mesh_config import packet_word, tree_word
from ...spec.noc_traffic import NocTrace, NocTraffic
from ..barrier import Barrier
from ..export import component_verilog
from ..noc import noc_verilog
from .build import VERILATE, build_sources

__all__ = ["network_bench", "run_traffic"]

_BITS = 320  # of one bit per source, so that Verilator always makes an array of it
# One function for all routers: with its copies in one, g++ takes minutes for 8x8.
_CONTROL = '`verilator_config\nno_inline -module "router"\n'


class _Job(ctypes.Structure):
    _fields_ = [(name, kind) for kind, names in (
        (c_int64, "tiles rows cols"), (c_void_p, "start step wait word"),
        (c_int64, "steps work stall limit tree_count"), (c_void_p, "trees"),
        (c_int64, "capacity"), (c_void_p, "taken cycle port out_word barrier sent"),
        (c_int64, "left lost cycles")) for name in names.split()]


def network_bench(config: MeshConfig) -> str:
    """Verilog of module ``bench``: network and barrier, their ports in vectors."""
    rows, tiles, width = config.rows, config.tiles, packet_word(config).width
    sources = tiles + rows

    def stream(source: int, port: str) -> str:
        return f"{port}__{source - tiles}" if source >= tiles else f"local_{port}__{source}"

    noc = [f".{stream(s, 'i')}__valid(i_valid[{s}]), .{stream(s, 'i')}__ready(i_ready[{s}]), "
           f".{stream(s, 'i')}__payload(i_payload[{64 * s} +: {width}])" for s in range(sources)]
    noc += [f".{stream(s, 'o')}__valid(o_valid[{s}]), "
            f".{stream(s, 'o')}__payload(o_payload[{64 * s} +: {width}])" for s in range(sources)]
    noc += [f".o__{row}__ready(o_ready[{row}])" for row in range(rows)]
    noc += [f".born__{t}(born[{3 * t} +: 3]), .gone__{t}(gone[{4 * t} +: 4]), "
            f".lost__{t}(lost_now[{4 * t} +: 4]), .sent__{t}(sent[{4 * t} +: 4])"
            for t in range(tiles)]
    if config.multicast:
        noc += [f".tree__{t}__own(tree_write), .tree__{t}__read(1'b0), "
                f".tree__{t}__index(tree_index), .tree__{t}__data(tree_data), "
                f".tree__{t}__write(tree_write & tree_tile == {t})"
                for t in range(tiles)]
    barrier = [f".idle__{t}(idle[{t}]), .born__{t}(born[{3 * t} +: 3]), "
               f".gone__{t}(gone[{4 * t} +: 4])" for t in range(tiles)]
    join = ",\n    ".join
    total = " + ".join(f"lost_now[{4 * t} +: 4]" for t in range(tiles))
    return f"""
module bench (
  input clk,
  input [{_BITS - 1}:0] i_valid, input [{64 * sources - 1}:0] i_payload,
  output [{_BITS - 1}:0] i_ready,
  output [{_BITS - 1}:0] o_valid, output [{64 * sources - 1}:0] o_payload,
  input [{_BITS - 1}:0] o_ready,
  input [{_BITS - 1}:0] idle, input end_valid, output end_ready, output fire, output empty,
  input tree_write, input [7:0] tree_tile, input [23:0] tree_index, input [31:0] tree_data,
  output [{max(128, 4 * tiles) - 1}:0] sent, output reg [31:0] lost
);
  reg rst = 1;
  wire [{3 * tiles - 1}:0] born;
  wire [{4 * tiles - 1}:0] gone, lost_now;
  wire [31:0] lost_sum = {total};
  always @(posedge clk) begin
    rst <= 0;
    lost <= rst ? 0 : lost + lost_sum;
  end
  noc noc (.clk(clk), .rst(rst), .run(1'b1), .clear(1'b0), .empty(empty),
    {join(noc)});
  barrier barrier (.clk(clk), .rst(rst), .end_valid(end_valid), .end_ready(end_ready), .fire(fire),
    {join(barrier)});
endmodule
"""


@lru_cache
def _library(config: MeshConfig) -> Path:
    verilog = noc_verilog(config) + component_verilog(Barrier(config), "barrier")
    sources = {"tile.vlt": _CONTROL, "bench.v": network_bench(config),
               "tile.v": verilog,
               "harness.cpp": Path(__file__).with_name("noc_harness.cpp").read_text()}
    return build_sources(sources, VERILATE)


def run_traffic(config: MeshConfig, traffic: NocTraffic,
                trees: Sequence[npt.NDArray[np.integer[Any]]] | None = None) -> NocTrace:
    """Send packets through the simulated network.

    Parameters
    ----------
    config : MeshConfig
        The mesh; of its tiles only widths count.
    traffic : NocTraffic
        Packets and stubs.
    trees : sequence of ndarray, (trees, 2), optional
        Per tile, with multicast: ``ports`` and ``axon`` of every tree.

    Raises
    ------
    UserError
        The traffic does not fit the mesh, or Verilator or the C++ compiler is not installed.
    """
    traffic = traffic.checked(config)
    library = ctypes.CDLL(str(_library(config)))
    library.noc_run.argtypes = [ctypes.POINTER(_Job)]
    packets = traffic.word.size
    capacity = packets * (config.tiles if config.multicast else 1)
    taken, words = np.full(packets, -1, np.int64), np.zeros(capacity, np.uint64)
    cycle, port = np.zeros((2, capacity), np.int64)
    barrier, sent = np.zeros(max(traffic.steps, 1), np.int64), np.zeros(config.tiles * 4, np.int64)
    table = np.zeros(0, np.uint32)
    if config.multicast:
        assert trees is not None, "with multicast every router has a tree table"
        table = np.concatenate([tree_word(config).pack({"ports": tree[:, 0], "axon": tree[:, 1]})
                                for tree in trees]).astype(np.uint32)
    job = _Job(
        tiles=config.tiles, rows=config.rows, cols=config.cols, start=traffic.start.ctypes.data,
        step=traffic.step.ctypes.data, wait=traffic.wait.ctypes.data,
        word=traffic.word.ctypes.data, steps=traffic.steps, work=traffic.work,
        stall=traffic.stall, limit=traffic.limit,
        tree_count=config.trees if config.multicast else 0, trees=table.ctypes.data,
        capacity=capacity, taken=taken.ctypes.data, cycle=cycle.ctypes.data,
        port=port.ctypes.data, out_word=words.ctypes.data, barrier=barrier.ctypes.data,
        sent=sent.ctypes.data)
    result = library.noc_run(ctypes.byref(job))
    if result == 1:
        raise UserError("trees: a packet comes to a tile more than once")
    if result:
        raise RuntimeError("the barrier fires although END_OF_STEP was not given")
    left = job.left
    return NocTrace(taken, cycle[:left], port[:left], words[:left], barrier[:traffic.steps],
                    sent.reshape(-1, 4), job.lost, job.cycles)
