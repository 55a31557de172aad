# SPDX-License-Identifier: Apache-2.0
"""The parts of the report that do not move."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..commands.text import count, percent, quantity, size
from ..energy import ENERGY_TABLE
from ..models.occupancy import Use, mapping_report
from ..spec import MeshProgram, Program
from .drawings import network_drawing, tile_drawing
from .figures import activity_figure, cycles_figure, latency_figure
from .floating import FloatCheck
from .html import Markup, bar, colour, facts, section, table, tag
from .mesh import mapping_parts

if TYPE_CHECKING:
    from ..pipeline import Result

__all__ = ["CYCLES", "accuracy_section", "confusion_table", "cycles_section", "energy_section",
           "figure", "memory_section", "network_section", "paragraph", "quantisation_section"]


CYCLES = ("are counted from its first cycle to the barrier of its last step; the update behind "
          "that barrier, clearing the tile and reading the answer come on top.")
"""What "cycles per sample" stands for."""


def paragraph(text: str, **attributes: object) -> Markup:
    """A paragraph of plain text."""
    return tag("p", text, **attributes)


def figure(content: str, caption: str) -> Markup:
    """A picture with its caption."""
    return tag("figure", Markup(tag("div", Markup(content), class_="scroll")
                                + tag("figcaption", caption)))


def network_section(result: "Result") -> Markup:
    """The network, its populations, and where they lie on the tile."""
    network, program = result.build.network, result.build.program
    rows = []
    for number, p in enumerate(network.populations):
        spikes = result.trace.spikes.get(p.name)
        rate = "–" if spikes is None else f"{spikes.mean():.3f}"
        threshold = _span(p.threshold) if p.spikes else "–"
        where = "–" if program is None else _where(program, p.name)
        name = Markup(tag("i", "", class_="dot", style=f"background:{colour(number)}")
                      + tag("span", p.name))
        rows.append([name, p.model.upper(), f"{p.size:,}", threshold, rate, where,
                     "–" if program is None else program.offset_of(p.name)])
    parts = [figure(network_drawing(network), "Input lines, populations and synapses."),
             table(["population", "model", "neurons", "threshold", "spikes per neuron and step",
                    "tile neurons", "offset"], rows, left=2)]
    if program is None:
        reason = next((n for n in result.build.notes if n.startswith("not mapped")), "not mapped")
        return section("network", "Network and mapping", *parts, paragraph(reason, class_="note"))
    if isinstance(program, MeshProgram):
        parts += mapping_parts(program)
        return section("network", "Network and mapping", *parts)
    use, config = mapping_report(program), program.config
    parts.append(figure(
        tile_drawing(program, result.trace.spikes),
        f"The tile's {config.neurons:,} neurons: a column is a group of {config.lanes} lanes that "
        "is updated in one cycle. The stronger the colour, the more a neuron spikes; grey is free. "
        "Point at one to see what it is."))
    parts.append(table(["resource", "used", "of", "", ""], [
        _use("neurons", use.neurons), _use("groups", use.groups),
        _use("axon table entries", use.axons), _use(f"synapse words of {config.lanes}",
                                                    use.synapse_words),
        _use("weights in these words", use.synapses)]))
    offset = (f" The last population answers {count(use.drain, 'step')} after the first, as every "
              "layer takes one; spikes and potentials below are aligned to the model's time."
              if use.drain else "")
    parts.append(paragraph(
        f"Tile {config.name}: {config.weight_bits}-bit weights, {config.state_bits}-bit "
        f"potentials, {config.acc_bits}-bit accumulators.{offset}", class_="note"))
    return section("network", "Network and mapping", *parts)


def _where(program: Program | MeshProgram, name: str) -> str:
    """Tile neurons of a population, or how many tiles it lies on."""
    neurons = program.neurons_of(name)
    if isinstance(program, MeshProgram):
        return count(len(np.unique(neurons // program.tile.neurons)), "tile")
    return f"{neurons[0]}–{neurons[-1]}"


def _use(name: str, use: Use) -> list[object]:
    return [name, f"{use.used:,}", f"{use.available:,}", percent(use.share), bar(use.share)]


def _span(values: np.ndarray) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} … {high:,}"


def accuracy_section(result: "Result", reference: FloatCheck | None) -> Markup:
    """Accuracy and confusion matrix, if there are labels."""
    found = result.metrics
    if "accuracy" not in found:
        return section("accuracy", "Accuracy", paragraph(
            "The input has no labels, so there is nothing to compare the answers with.",
            class_="note"))
    matrix = np.array(found["confusion"])
    output = result.build.output
    rule = ("the neuron with most spikes" if output.spikes
            else "the neuron with the largest sum of potentials")
    text = (f"{count(found['correct'])} of {count(found['samples'], 'sample')} right, "
            f"{percent(found['accuracy'], 2)}. The answer is {rule} of node {output.name}; "
            "ties go to the lowest index.")
    parts = [paragraph(text)]
    if reference is not None and reference.accuracy is not None:
        text = ("Before quantisation, in floating point, the network gets "
                f"{percent(reference.accuracy, 2)} of {_these(result, reference)}")
        if reference.samples < result.stimulus.samples:
            text += f", of which this run gets {percent(reference.tile_accuracy or 0.0, 2)}"
        parts.append(paragraph(f"{text}."))
    return section("accuracy", "Accuracy", *parts,
                   _worst(matrix) if len(matrix) > 30 else confusion_table(matrix))


def _worst(matrix: np.ndarray) -> Markup:
    """The most frequent confusions, for matrices that are too large to look at."""
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off.ravel(), kind="stable")[:20]
    rows = [[k // len(matrix), k % len(matrix), int(off.ravel()[k])]
            for k in order.tolist() if off.ravel()[k]]
    return table(["label", "taken for", "samples"], rows)


def confusion_table(matrix: np.ndarray) -> Markup:
    """Samples per label (rows) and answer (columns), coloured."""
    largest = np.maximum(matrix.sum(axis=1), 1)
    rows = []
    for label, line in enumerate(matrix):
        cells = []
        for guess, number in enumerate(line):
            share = number / largest[label]
            shade = "47,146,103" if label == guess else "196,60,60"
            strength = 0.12 + 0.78 * share if number else 0
            style = f"background:rgba({shade},{strength:.2f})"
            style += ";color:#fff" if strength > 0.55 else ""
            cells.append(tag("td", int(number) if number else "·",
                             class_="cell" if number else "none", style=style,
                             title=f"label {label}, answer {guess}: {int(number)}"))
        recall = percent(line[label] / largest[label]) if line.sum() else "–"
        rows.append(tag("tr", Markup(tag("th", label) + "".join(cells)
                                     + tag("td", recall, class_="number"))))
    head = tag("tr", Markup(tag("th", "") + "".join(tag("th", k) for k in range(len(matrix)))
                            + tag("th", "right", class_="number")))
    body = tag("thead", Markup(head)) + tag("tbody", Markup("".join(rows)))
    return figure(tag("table", Markup(body), class_="confusion"),
                  "Confusion matrix: a row per label, a column per answer.")


def cycles_section(result: "Result") -> Markup:
    """Activity, cycles of each step, and the use of the lanes."""
    found, tile = result.metrics, result.trace.tile
    parts = [figure(activity_figure(result), "Share of neurons that spike in a step, mean over the "
                                             "samples.")]
    if tile is None:
        parts.append(paragraph(f"The {result.trace.engine} engine knows no cycles; run with "
                               "--engine fast or --engine rtl to see them.", class_="note"))
        return section("cycles", "Cycles", *parts)
    per_step, counters = found["cycles_per_step"], found["counters"]
    parts.append(figure(cycles_figure(result), "Clock cycles from barrier to barrier."))
    if len(tile.barrier) >= 8:
        parts.append(figure(latency_figure(result), f"Cycles of a sample {CYCLES}"))
    utilisation = found["lane_utilisation"]
    depth = 0 if result.build.program is None else result.build.program.tile.queue_depth
    parts.append(facts([
        ("cycles in all", f"{found['cycles']:,}"),
        ("cycles per tile step",
         f"{per_step['mean']:,.1f} ({per_step['min']:,} to {per_step['max']:,})"),
        ("lane utilisation", "–" if utilisation is None else percent(utilisation)),
        ("synaptic events", f"{found['syn_events']:,}"),
        ("synaptic events per cycle", f"{found['syn_events'] / found['cycles']:.2f}"),
        ("hazard stalls", f"{counters['hazard_stalls']:,}"),
        ("spike FIFO stalls", f"{counters['fifo_stalls']:,}"),
        ("largest queue level", f"{counters['queue_high_water']:,} of {depth:,}"),
        ("dropped spikes", f"{counters['drops']:,}")]))
    parts.append(paragraph(
        "Lane utilisation is the share of the synapse slots read (words times lanes) that added a "
        "weight other than 0 which belongs to the network. Cycles of a sample "
        f"{CYCLES}", class_="note"))
    return section("cycles", "Cycles and lanes", *parts)


def memory_section(result: "Result") -> Markup:
    """Accesses to every memory."""
    energy = result.metrics.get("energy")
    if energy is None:
        return section("memory", "Memory accesses", paragraph(
            f"The {result.trace.engine} engine has no memories to count accesses of.",
            class_="note"))
    rows = energy["memories"]
    largest = max(r["bits"] * (r["reads"] + r["writes"]) for r in rows) or 1
    return section("memory", "Memory accesses", table(
        ["memory", "size", "word", "words read", "words written", "bits moved", ""],
        [[r["memory"], size(r["total_bits"]), f"{r['bits']} b", f"{r['reads']:,}",
          f"{r['writes']:,}", f"{r['bits'] * (r['reads'] + r['writes']):,}",
          bar(r["bits"] * (r["reads"] + r["writes"]) / largest)] for r in rows]),
        paragraph("From the tile's counters. A word is a row of all lanes.", class_="note"))


def energy_section(result: "Result") -> Markup:
    """The energy estimate, and the table that it is made with."""
    found = result.metrics.get("energy")
    if found is None:
        return section("energy", "Energy (model)", paragraph(
            f"The estimate needs the counters of a tile, which the {result.trace.engine} engine "
            "lacks.", class_="note"))
    total = found["total_pj"] or 1
    per_event = found["pj_per_syn_event"]
    rows = [[r["memory"], r["technology"], _energy(r["pj"]), percent(r["pj"] / total),
             bar(r["pj"] / total, "#d07a1f")] for r in found["memories"]]
    source = [[t.name, f"{t.read:g}", f"{t.write:g}", f"{t.static:g}"] for t in ENERGY_TABLE]
    return section(
        "energy", "Energy (model)",
        paragraph("A model, not a measurement: accesses of this run times published energies per "
                  "bit. Arithmetic, clock tree, leakage and input/output are not in it.",
                  class_="warning"),
        facts([("in all", _energy(found["total_pj"])),
               ("per sample", _energy(found["pj_per_sample"])),
               ("per synaptic event", "–" if per_event is None else _energy(per_event)),
               ("leakage of the memories", quantity(found["static_uw"] * 1e-6, "W"))]),
        table(["memory", "taken as", "energy", "share", ""], rows, left=2),
        tag("h3", "The table"),
        table(["memory", "read fJ/b", "write fJ/b", "static pW/b"], source),
        paragraph("Values of SENECA's memories in 22 nm (Tang et al., Frontiers in Neuroscience "
                  "2023, doi 10.3389/fnins.2023.1187252), from a secondary source that quotes "
                  "them. A memory of this tile counts as the smallest of these that holds it, "
                  "which overstates memories of a few kilobits. The same paper states about "
                  "2.8 pJ per synaptic operation for SENECA as a whole.",
                  class_="note"))


def _energy(picojoules: float) -> str:
    return quantity(picojoules * 1e-12, "J")


def quantisation_section(result: "Result", reference: FloatCheck | None) -> Markup:
    """What rounding to integers did to the weights and thresholds."""
    report = result.build.quantisation
    if report is None:
        return section("quantisation", "Quantisation error", paragraph(
            "The network was given in integers: nothing was rounded.", class_="note"))
    tensors: list[list[Any]] = [
        [t.name, f"{t.weights:,}", percent(t.max_error, 3), percent(t.rms_error, 3),
         f"{t.clipped:,}", f"{t.zeroed:,}", t.effective_bits] for t in report.tensors]
    nodes: list[list[Any]] = [
        [n.name, n.model.upper(), f"{n.scale:,.4g}", n.shift, _pair(n.threshold),
         "–" if n.headroom is None else f"{n.headroom:,.1f} ×",
         percent(n.bias_error, 3), f"{n.decay_error:.2g}"] for n in report.nodes]
    return section(
        "quantisation", "Quantisation error",
        paragraph(f"{report.weight_bits}-bit weights, {report.state_bits}-bit potentials, decay "
                  f"coefficients with {report.decay_bits} fractional bits. Errors of weights and "
                  "biases are parts of the largest weight into the population."),
        table(["weights", "number", "largest error", "rms error", "clipped", "became 0",
               "bits in use"], tensors),
        table(["population", "model", "integers per unit", "shift", "threshold",
               "range in thresholds", "bias error", "decay error"], nodes, left=2),
        *_spikes_lost(result, reference))


def _spikes_lost(result: "Result", reference: FloatCheck | None) -> list[Markup]:
    if reference is None:
        return []
    rows = [[name, f"{real:,}", f"{integer:,}", f"{differ:,}",
             percent(differ / max(real + integer, 1), 2)]
            for name, (real, integer, differ) in reference.spikes.items()]
    return [tag("h3", "What it does to the spikes"),
            paragraph(f"The network before quantisation, in floating point, on "
                      f"{_these(result, reference)}.", class_="note"),
            table(["population", "spikes in floating point", "on the tile",
                   "in one of the two only", "share"], rows)]


def _these(result: "Result", reference: FloatCheck) -> str:
    if reference.samples == result.stimulus.samples:
        return "the same samples"
    return f"the first {count(reference.samples, 'sample')}"


def _pair(values: tuple[int, int]) -> str:
    return f"{values[0]:,}" if values[0] == values[1] else f"{values[0]:,} … {values[1]:,}"
