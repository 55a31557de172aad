# SPDX-License-Identifier: Apache-2.0
"""Testbench of an exported tile: the script it follows, what it sends and what it expects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from importlib import resources
from string import Template

import numpy as np
import numpy.typing as npt

from ..spec import (
    EventConfig,
    Program,
    Stimulus,
    TileConfig,
    TileLearning,
    Trace,
    UserError,
)
from ..spec.codes import ID_VALUE, VERSION_VALUE, MemoryId, Register
from ..spec.event_formats import EVENT_ID_VALUE, event_output_word, event_word
from ..spec.formats import Memory, host_request_word, input_word, memories, output_word

__all__ = ["Vectors", "make_vectors", "memory_vectors", "testbench"]

_ANY_CYCLE = (1 << 44) - 1
_TIME_OUT = 10_000_000
_REQUEST_BITS = 61


class _Operation(IntEnum):
    # As in tile_tb_template.v.
    WRITE = 0
    READ = 1
    POLL = 2
    RUN = 3
    LOAD = 4
    STOP = 5


@dataclass
class Vectors:
    """What the testbench does and expects, as words of its files.

    Parameters
    ----------
    input_digits : int
        Hexadecimal digits of an input word.
    script : list of int
        Operations on the host port.
    inputs, outputs, barriers : list of int
        Input words; output words with their cycles; cycles of the barriers.
    images : tuple of Memory
        Memories that the script loads from their images.
    """

    input_digits: int

    script: list[int] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    barriers: list[int] = field(default_factory=list)
    images: tuple[Memory, ...] = ()

    def files(self) -> dict[str, str]:
        """Text of every file by its name; a word more than counted, since none may be empty."""
        widths = {"script": 25, "input": self.input_digits, "output": 16, "barrier": 11}
        words = (self.script, self.inputs + [0], self.outputs + [0], self.barriers + [0])
        return {f"vectors/{name}.hex": "".join(f"{word:0{digits}x}\n" for word in part)
                for (name, digits), part in zip(widths.items(), words, strict=True)}

    def add(self, operation: _Operation, memory: IntEnum, index: int, value: int = 0, *,
            data: int = 0) -> None:
        """Append an operation; ``value`` is what a read expects, or a number of words or steps."""
        write = operation in (_Operation.WRITE, _Operation.RUN, _Operation.LOAD)
        request = int(host_request_word().pack(
            {"data": data, "index": index, "memory": int(memory), "write": int(write)}))
        self.script.append((int(operation) << _REQUEST_BITS | request) << 32 | value & 0xFFFFFFFF)

    def write(self, register: Register, data: int) -> None:
        """Append the write of a register."""
        self.add(_Operation.WRITE, MemoryId.REGISTERS, register, data=data)

    def read(self, memory: IntEnum, index: int, expected: int) -> None:
        """Append a read that expects this word."""
        self.add(_Operation.READ, memory, index, expected)


def make_vectors(config: TileConfig, program: Program | None = None,
                 stimulus: Stimulus | None = None, trace: Trace | None = None) -> Vectors:
    """Vectors that check identity and memories and, with a trace, everything in it.

    Parameters
    ----------
    program, stimulus, trace
        What ran, and what an engine with cycles reported.

    Raises
    ------
    UserError
        The trace has no cycles, or belongs to another program or stimulus.
    """
    vectors = _start(config, program is not None)
    if program is not None:
        vectors.write(Register.GROUPS, program.groups - 1)
        if trace is not None and stimulus is not None:
            _runs(vectors, program, stimulus, trace)
    vectors.add(_Operation.STOP, MemoryId.REGISTERS, 0)
    return vectors


def memory_vectors(config: TileConfig | EventConfig,
                   contents: Mapping[str, npt.NDArray[np.uint64]] | None = None) -> Vectors:
    """Vectors that check identity and memories.

    Parameters
    ----------
    contents : mapping of str to ndarray of uint64, (rows, lanes), optional
        What the memories are loaded with; the first and last word of each is read back.
    """
    vectors = _start(config, contents is not None)
    if contents is not None:
        for memory in vectors.images:
            words = contents[memory.name].reshape(-1)
            for index in (0, words.size - 1):
                vectors.read(memory.id, index, _answer(memory, int(words[index])))
    vectors.add(_Operation.STOP, MemoryId.REGISTERS, 0)
    return vectors


def _start(config: TileConfig | EventConfig, images: bool) -> Vectors:
    """Vectors that check the identity and touch all memories, or load their images."""
    events = isinstance(config, EventConfig)
    vectors = Vectors(-(-_widths(config)[0] // 4))
    for register, value in ((Register.ID, EVENT_ID_VALUE if events else ID_VALUE),
                            (Register.VERSION, VERSION_VALUE),
                            (Register.DIGEST, int(config.digest[:8], 16))):
        vectors.read(MemoryId.REGISTERS, register, value)
    if not images:
        _touch_memories(vectors, config)
        return vectors
    vectors.images = memories(config)
    for memory in vectors.images:
        vectors.add(_Operation.LOAD, memory.id, 0, memory.rows * memory.lanes)
    return vectors


def _widths(config: TileConfig | EventConfig) -> tuple[int, int]:
    """Bits of an input and of an output word."""
    if isinstance(config, EventConfig):
        return event_word(config).width, event_output_word(config).width
    return input_word(config).width, output_word(config).width


def _answer(memory: Memory, word: int) -> int:
    """What reading a word gives: sign-extended if it is signed."""
    width = memory.word.width
    return word - ((memory.word.fields[0].signed and word >> width - 1) << width)


def _touch_memories(vectors: Vectors, config: TileConfig | EventConfig) -> None:
    """First and last word of every memory: written both ways, then read."""
    for pattern in (0x5A5A5A5A, 0xA5A5A5A5):
        for memory in memories(config):
            width = memory.word.width
            for index in (0, memory.rows * memory.lanes - 1):
                data = (pattern ^ index) & (1 << width) - 1
                vectors.add(_Operation.WRITE, memory.id, index, data=data)
                vectors.read(memory.id, index, _answer(memory, data))


def _runs(vectors: Vectors, program: Program, stimulus: Stimulus, trace: Trace) -> None:
    tile, config = trace.tile, program.config
    if tile is None:
        raise UserError(f"a testbench needs cycles, which engine {trace.engine} does not report")
    if trace.program != program.digest or trace.stimulus != stimulus.digest:
        raise UserError("the trace is of another program or stimulus than the testbench")
    events = program.events(stimulus, keep_state=trace.keep_state)
    vectors.write(Register.LENGTH, stimulus.samples * stimulus.steps // events.runs)
    if config.learns:
        learning = program.learning or TileLearning()
        vectors.write(Register.SWITCHES, learning.switches)
        vectors.write(Register.LEARN_OFFSET, learning.offset)
        vectors.write(Register.BISTABILITY_PERIOD, learning.period)
        vectors.write(Register.BISTABILITY_ROWS, learning.rows - 1)
    end_in = int(input_word(config).pack({"axon": 0, "end_of_step": 1}))
    end_out = int(output_word(config).pack({"neuron": 0, "end_of_step": 1}))
    row = tile.spike_run * events.steps + tile.spike_step
    first = np.searchsorted(row, np.arange(events.runs * events.steps + 1))
    for run in range(events.runs):
        vectors.write(Register.CLEAR, 1)
        vectors.add(_Operation.POLL, MemoryId.REGISTERS, Register.STATUS)
        vectors.add(_Operation.RUN, MemoryId.REGISTERS, Register.RUN, events.steps,
                    data=events.steps)
        for at in range(run * events.steps, (run + 1) * events.steps):
            vectors.inputs += events.axon[events.start[at]:events.start[at + 1]].tolist()
            vectors.inputs.append(end_in)
            spikes = slice(first[at], first[at + 1])
            vectors.outputs += [int(cycle) << 20 | int(neuron) for cycle, neuron in zip(
                tile.spike_cycle[spikes], tile.spike_neuron[spikes], strict=True)]
            vectors.outputs.append(_ANY_CYCLE << 20 | end_out)
        vectors.barriers += tile.barrier[run].tolist()
        for name, values in tile.final.items():
            for neuron in range(program.groups * config.lanes):
                vectors.read(MemoryId[name.upper()], neuron, int(values[run, neuron]))
        for number, name in enumerate(config.counters):
            vectors.read(MemoryId.REGISTERS, Register.EVENTS + number,
                         int(tile.counters[name][run]))
    if config.learns:
        for index in _plastic(program):
            vectors.read(MemoryId.SYNAPSE, index, int(tile.synapse.flat[index]))


def _plastic(program: Program) -> list[int]:
    """Words of the synapse memory that belong to plastic projections, ascending."""
    words = [index[index >= 0].ravel() for index in program.synapse_index.values()]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *words])).tolist()


def testbench(config: TileConfig | EventConfig, vectors: Vectors) -> str:
    """Verilog text of the testbench that follows these vectors."""
    declarations, loads, cases = [], [], []
    for memory in vectors.images:
        width = memory.word.width
        declarations.append(f"  reg [{memory.lanes * width - 1}:0] {memory.name}_image "
                            f"[0:{memory.rows - 1}];\n")
        loads.append(f'    $readmemh("memory/{memory.name}.hex", {memory.name}_image);\n')
        word = f"{memory.name}_image[n / {memory.lanes}][n % {memory.lanes} * {width} +: {width}]"
        cases.append(f"      {int(memory.id)}: image_word = {word};\n")
    text = resources.files(__package__).joinpath("tile_tb_template.v").read_text()
    input_bits, output_bits = _widths(config)
    return Template(text).substitute(
        input_bits=input_bits, output_bits=output_bits,
        barrier="1'b0" if isinstance(config, EventConfig) else "tile_barrier",
        port="idle" if isinstance(config, EventConfig) else "barrier",
        script=len(vectors.script), inputs=len(vectors.inputs), outputs=len(vectors.outputs),
        barriers=len(vectors.barriers), time_out=_TIME_OUT,
        image_declarations="".join(declarations), image_loads="".join(loads),
        image_cases="".join(cases))
