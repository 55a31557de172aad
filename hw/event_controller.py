# SPDX-License-Identifier: Apache-2.0
"""Controller of the event mode: phases, and which event is next."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig
from neurotile.spec.event_formats import (
    EventKind,
    EventPhase,
    event_output_word,
    event_word,
    queue_entry_word,
    switches_word,
)

from .layouts import event_pass, struct_layout

__all__ = ["EventController"]

_ONE = (EventKind.VIRTUAL, EventKind.LEAK, EventKind.SYNAPSE, EventKind.TIME_ONE)
_TIME = (EventKind.LEAK, EventKind.TIME_ONE, EventKind.TIME_ALL)
_BISTABLE = (EventKind.BISTABILITY_ROW, EventKind.BISTABILITY_ALL)
_SCHEDULED = (EventKind.SPIKE, EventKind.VIRTUAL, EventKind.LEAK)


class EventController(wiring.Component):
    """Takes the tile through its phases and chooses events (docs/event_mode.md, sections 3 and 5).

    Parameters
    ----------
    config : EventConfig
        Widths.

    Members
    -------
    phase : ``Out(EventPhase)``
        What the tile is doing.
    clearing, passing : ``Out(1)``
        ``phase`` is CLEAR, PASS.
    hold : ``Out(1)``
        The tile is in HOLD and stays there: the host may use the memories.
    idle : ``Out(1)``
        FREE, and the scheduler is empty.
    run, clear : ``In(1)``
        Register RUN; the host asks for CLEAR, which is ignored outside HOLD.
    clear_row : ``Out(group_bits)``
        Row that CLEAR zeroes in this cycle.
    switches : ``In(switches_word)``
        Register SWITCHES.
    i : ``In(stream.Signature(event_word))``
        Events from the host.
    append : ``Out(stream.Signature(queue_entry_word))``
        Those of them that the scheduler gets; never when it is ``full``.
    full : ``In(1)``
        The scheduler has no room.
    head : ``In(stream.Signature(queue_entry_word))``
        Oldest entry of the scheduler; taken when its pass ends.
    listing : ``Out(stream.Signature(event_output_word))``
        Spike events whose pass starts, with switch ``source``.
    start : ``Out(1)``
        A pass starts in this cycle.
    event : ``Out(event_pass(config))``
        The pass, from the cycle after ``start``.
    finished : ``In(1)``
        All groups of the pass are written and its spikes sent.
    """

    def __init__(self, config: EventConfig) -> None:
        self.config = config
        entry = stream.Signature(struct_layout(queue_entry_word(config)))
        super().__init__({
            "phase": Out(EventPhase), "clearing": Out(1), "passing": Out(1), "hold": Out(1),
            "idle": Out(1), "run": In(1), "clear": In(1), "clear_row": Out(config.group_bits),
            "switches": In(struct_layout(switches_word())),
            "i": In(stream.Signature(struct_layout(event_word(config)))),
            "append": Out(entry), "full": In(1), "head": In(entry),
            "listing": Out(stream.Signature(struct_layout(event_output_word(config)))),
            "start": Out(1), "event": Out(event_pass(config)), "finished": In(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        event, head = self.i.payload, self.head.payload
        scheduled = Signal()  # the running pass is the head's
        offered = Signal()    # the head is chosen, and listed as soon as the output takes it
        chosen = Signal.like(event)
        bistable = event.kind.matches(*_BISTABLE)
        takes_head = offered | self.full | (self.head.valid & ~(self.i.valid & ~bistable))
        head_kind = Mux(head.kind == EventKind.SYNAPSE, EventKind.SPIKE, head.kind)

        m.d.comb += [
            self.append.payload.neuron.eq(Mux(event.kind == EventKind.SPIKE, event.pre,
                                              event.post)),
            self.append.payload.weight.eq(event.weight),
            self.append.payload.inhibitory.eq(event.inhibitory),
            self.append.payload.kind.eq(event.kind),
            self.listing.payload.neuron.eq(head.neuron),
            chosen.eq(event),
        ]
        with m.If(takes_head):
            m.d.comb += [chosen.pre.eq(head.neuron), chosen.post.eq(head.neuron),
                         chosen.weight.eq(head.weight), chosen.inhibitory.eq(head.inhibitory),
                         chosen.kind.eq(head_kind)]

        with m.Switch(self.phase):
            with m.Case(EventPhase.HOLD):
                m.d.comb += self.hold.eq(~self.run)
                with m.If(self.clear):
                    m.d.sync += self.phase.eq(EventPhase.CLEAR)
                with m.Elif(self.run):
                    m.d.sync += self.phase.eq(EventPhase.FREE)

            with m.Case(EventPhase.CLEAR):
                m.d.comb += self.clearing.eq(1)
                m.d.sync += self.clear_row.eq(self.clear_row + 1)
                with m.If(self.clear_row == self.config.groups - 1):
                    m.d.sync += self.phase.eq(EventPhase.HOLD)

            with m.Case(EventPhase.FREE):
                m.d.comb += self.idle.eq(~self.head.valid)
                # An offer is kept until the output takes it, whatever RUN says meanwhile.
                with m.If(~self.run & ~offered):
                    m.d.sync += self.phase.eq(EventPhase.HOLD)
                with m.Elif(takes_head):
                    m.d.comb += [
                        self.listing.valid.eq(self.switches.source
                                              & (head_kind == EventKind.SPIKE)),
                        self.start.eq(~self.listing.valid | self.listing.ready),
                    ]
                    m.d.sync += offered.eq(~self.start)
                with m.Elif(self.i.valid):
                    m.d.comb += [self.i.ready.eq(1),
                                 self.append.valid.eq(event.kind.matches(*_SCHEDULED)),
                                 self.start.eq(~self.append.valid)]
                with m.If(self.start):
                    m.d.sync += [self.phase.eq(EventPhase.PASS), scheduled.eq(takes_head)]

            with m.Case(EventPhase.PASS):
                m.d.comb += [self.passing.eq(1), self.head.ready.eq(self.finished & scheduled)]
                with m.If(self.finished):
                    m.d.sync += self.phase.eq(Mux(self.run, EventPhase.FREE, EventPhase.HOLD))

        kind, synapse = chosen.kind, Signal()
        m.d.comb += synapse.eq(kind == EventKind.SYNAPSE)
        bistable = kind.matches(*_BISTABLE)
        spike = kind == EventKind.SPIKE
        with m.If(self.start):
            m.d.sync += [
                *(self.event[name].eq(chosen[name])
                  for name in ("pre", "post", "weight", "inhibitory")),
                self.event.one.eq(kind.matches(*_ONE)),
                self.event.every.eq(kind == EventKind.BISTABILITY_ALL),
                self.event.time.eq(kind.matches(*_TIME)),
                self.event.bistable.eq(bistable),
                self.event.reads.eq(bistable | spike | synapse),
                self.event.writes.eq(self.switches.learn & (
                    bistable | spike | (synapse & self.switches.learn_on_synapse))),
            ]
        return m
