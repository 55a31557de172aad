# SPDX-License-Identifier: Apache-2.0
"""Verilog of a mesh with mutants built in, and around it what a mesh alone is never shown."""

import re
from dataclasses import dataclass

from neurotile.hw.mesh import Mesh
from neurotile.hw.mesh_tile import MeshTile
from neurotile.hw.router import Router
from neurotile.spec import MeshConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.mesh_config import MeshMemoryId, MeshRegister, mesh_request_word

from . import verilog
from .rtl import SELECTOR, flat

__all__ = ["CORRUPT", "FREE", "KEEP", "NOBODY", "REFUSE", "RESET", "MeshText", "mesh_text"]

NOBODY = 255
"""A tile that no mesh has; writes to its registers below are heard by what is around the mesh."""
RESET, REFUSE, KEEP, FREE = range(1000, 1004)
"""Registers of tile NOBODY: ``rst`` in that many cycles; outputs are accepted now and then, and
registers read; CLEAR is ignored; END_OF_STEP is always on offer."""
CORRUPT = "NEUROTILE_CORRUPT"
"""Environment variable; if set, packets change on links and in the routers' FIFOs."""

# Parts of a tile that are those of a tile without a mesh.
_OLD = re.compile(r"(axon|bias|current|decay|group|membrane|threshold|v_reset)_memory|spike_fifo|"
                  r"synapses|encoder|sequencer|npe\.(?!.*(slot|accumulator))")


@dataclass(frozen=True)
class MeshText:
    """The three modules of a mesh, each flat, and every bug that can be planted in what is new."""

    config: MeshConfig
    modules: dict[str, str]
    mutants: dict[str, list[verilog.Mutant]]

    def choose(self, count: int, seed: int, modules: tuple[str, ...]
               ) -> dict[str, list[verilog.Mutant]]:
        """About ``count`` mutants, the same number of each of these modules."""
        shares = {name: count // len(modules) + (number < count % len(modules))
                  for number, name in enumerate(modules)}
        return {name: verilog.choose(self.mutants[name], share, seed)
                for name, share in shares.items()}

    def instrumented(self, chosen: dict[str, list[verilog.Mutant]]) -> str:
        """Verilog with these mutants built in, numbered in their order, and what is around it."""
        parts, first = [], 1
        for name, text in self.modules.items():
            mutants = chosen.get(name, [])
            parts.append(verilog.instrument(text, mutants, SELECTOR, first))
            first += len(mutants)
        mesh, tile, router = parts
        if self.config.link_parity:
            router = _with_noise(self.config, router)
        return _with_disturbances(self.config, mesh) + tile + router


def mesh_text(config: MeshConfig) -> MeshText:
    """Flat modules of a mesh."""
    modules = {name: flat(component, name) for name, component in (
        ("mesh", Mesh(config)), ("mesh_tile", MeshTile(config)), ("router", Router(config)))}
    return MeshText(config, modules, {
        name: [mutant for mutant in verilog.mutants_of(text)
               if name != "mesh_tile" or not _OLD.match(mutant.signal)]
        for name, text in modules.items()})


def _with_disturbances(config: MeshConfig, text: str) -> str:
    """The mesh in a wrapper that does what the registers of tile NOBODY say."""
    word = mesh_request_word()
    fields = {field.name: f"request__payload[{word.offset(field.name)} +: {field.width}]"
              for field in word.fields}
    elsewhere = int(word.pack({"data": 0, "index": (1 << 18) - 1, "memory": MemoryId.REGISTERS,
                               "tile": NOBODY, "write": 1}))
    poll = {name: int(word.pack({"data": 0, "index": 0, "memory": memory, "tile": 0, "write": 0}))
            for name, memory in (("mesh", MeshMemoryId.MESH), ("tile", MemoryId.REGISTERS))}
    streams = []
    for row in range(config.rows):
        streams += [f"  wire own_o__{row}__valid;",
                    (f"  wire own_o__{row}__ready = o__{row}__ready && "
                     f"!(refuse && chance[{3 * row % 16}]);"),
                    f"  assign o__{row}__valid = own_o__{row}__valid && own_o__{row}__ready;"]
    own = ("rst", "end_valid", "request__valid", "request__payload", "response__valid",
           "response__ready", *(f"o__{row}__{name}" for row in range(config.rows)
                                for name in ("valid", "ready")))
    return verilog.wrapped(text, "mesh", own, _DISTURBANCES.format(
        **fields, range=f"[{word.width - 1}:0]", nobody=NOBODY, registers=int(MemoryId.REGISTERS),
        mesh=int(MeshMemoryId.MESH), reset=RESET, refuse=REFUSE, keep=KEEP, free=FREE,
        clear=int(MeshRegister.CLEAR), elsewhere=f"{word.width}'d{elsewhere}",
        poll_mesh=f"{word.width}'d{poll['mesh']}", poll_tile=f"{word.width}'d{poll['tile']}",
        index_at=word.offset("index"), tile_at=word.offset("tile"), streams="\n".join(streams)))


# `mine` says for each answer under way, oldest first, whether it is one that the host does not see.
_DISTURBANCES = """
  reg [31:0] until_reset = 0;
  reg refuse = 0, keep = 0, free = 0;
  reg [15:0] chance = 1;
  wire told = request__valid && request__ready && {write} && {tile} == {nobody}
              && {memory} == {registers};
  always @(posedge clk) begin
    if (told && {index} == {reset}) until_reset <= {data};
    else if (until_reset != 0) until_reset <= until_reset - 1;
    if (told && {index} == {refuse}) refuse <= {data} != 0;
    if (told && {index} == {keep}) keep <= {data} != 0;
    if (told && {index} == {free}) free <= {data} != 0;
    chance <= {{chance[14:0], chance[15] ^ chance[13] ^ chance[12] ^ chance[10]}};
  end
  wire own_rst = rst || until_reset == 1;
  wire own_end_valid = end_valid || free;

  reg [3:0] mine = 0;
  reg [1:0] asked = 0, answered = 0;
  wire clears = {write} && {memory} == {mesh} && {index} == {clear};
  wire {range} poll = (chance[9] ? {poll_mesh} | chance[4:0] << {index_at}
                                 : {poll_tile} | chance[4:0] << {index_at}
                                   | chance[11:10] << {tile_at});
  wire own_request__valid = request__valid || (refuse && chance[5]);
  wire {range} own_request__payload =
      !request__valid ? poll : keep && clears ? {elsewhere} : request__payload;
  always @(posedge clk)
    if (own_rst) begin
      asked <= 0;
      answered <= 0;
    end else begin
      if (own_request__valid && request__ready && !(request__valid && {write})) begin
        mine[asked] <= !request__valid;
        asked <= asked + 1;
      end
      if (own_response__valid && own_response__ready) answered <= answered + 1;
    end

  wire own_response__valid;
  wire own_response__ready = mine[answered] || (response__ready && !(refuse && chance[3]));
  assign response__valid = own_response__valid && own_response__ready && !mine[answered];
{streams}"""


def _with_noise(config: MeshConfig, text: str) -> str:
    """The router with packets that arrive with a wrong bit, or get one in the local FIFO.

    What enters at the local input gets its parity there, so it is this bit that is made wrong.
    """
    text, count = re.subn(r"(?m)^(  assign \\entering_local\.parity +=) (.*);$",
                          r"\1 (\2) ^ (&chance[14:12] && corrupt);", text)
    assert count == 1, "the router has no parity bit of its local input"
    text = text.replace(SELECTOR, SELECTOR + _CHANCE, 1)
    width = int(re.search(r"input \[(\d+):0\] i__0__payload;", text)[1]) + 1  # type: ignore[index]
    # Other bits of `chance` than those above. No link is behind the host port.
    noise = "\n".join(
        f"  wire [{width - 1}:0] own_i__{port}__payload = i__{port}__payload ^ "
        f"((corrupt && chance[{port}] && chance[{port + 3}] && chance[{port + 5}]"
        f"{' && x != 0' * (port == 3)}) << "
        f"(chance[15:11] % {width}));" for port in range(4))
    own = (f"i__{port}__payload" for port in range(4))
    return verilog.wrapped(text, "router", own, _CHANCE + noise)


# The place of a router decides what it begins with, so that they do not all do the same.
_CHANCE = f"""
  reg corrupt;
  initial corrupt = $c32("(std::getenv(\\"{CORRUPT}\\") != nullptr)");
  reg [15:0] chance = 1;
  reg [7:0] begun = 0;
  always @(posedge clk) begin
    if (begun != 8'hff) begun <= begun + 1;
    chance <= {{chance[14:0], chance[15] ^ chance[13] ^ chance[12] ^ chance[10]
                              ^ (begun == {{y, x}})}};
  end
"""
