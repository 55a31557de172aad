# SPDX-License-Identifier: Apache-2.0
"""Golden model of networks that learn against numbers worked out by hand; checks of such networks.

The numbers follow from docs/semantics.md, section 9, without running anything.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neurotile.models import golden
from neurotile.spec import (
    CalciumRule,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Sdsp,
    SdspSynapses,
    Stimulus,
    UserError,
)

NEVER = 1000
UP: dict[str, Any] = {"theta_mem": -NEVER, "theta1": 0, "theta2": 7, "theta3": 7}
DOWN: dict[str, Any] = {**UP, "theta_mem": NEVER}


def network(weights, *, rule=UP, threshold=NEVER, mapped=True, inhibitory=False, delay=0,
            **learning):
    weights = np.atleast_2d(np.array(weights, np.int32))
    targets, sources = weights.shape
    synapses = SdspSynapses(np.full(sources, inhibitory),
                            np.broadcast_to(mapped, weights.shape).astype(np.bool_))
    return IntegerNetwork(
        (InputPort("in", sources),),
        (Population("n", targets, "if", np.array(threshold), calcium=CalciumRule(**rule)),),
        (Projection("in", "n", weights, delay, synapses),), weight_bits=4,
        learning=Sdsp(**learning))


def run(net, *samples, **options):
    """Trace of samples, each a list of steps, each the spikes of all lines."""
    return golden.run(net, Stimulus.from_dense(np.array(samples, np.uint8)), weights_every=1,
                      record={"n": np.arange(net.populations[0].size)}, **options)


def log(trace):
    return trace.weight_log["in->n"][:, 0, 0].tolist()


@pytest.mark.parametrize(("rule", "first", "log_", "potential"), [
    # No flags before the first update; a spike delivers the weight from before its change.
    (UP, 3, [3, 4, 5, 6], [3, 6, 10, 15]), (DOWN, 2, [2, 1, 0, 0], [2, 4, 5, 5]),
    (UP, 6, [6, 7, 7, 7], [6, 12, 19, 26]), ({**UP, "enable": False}, 3, [3] * 4, [3, 6, 9, 12])])
def test_weights_follow_the_flags_of_the_step_before(rule, first, log_, potential):
    trace = run(network(first, rule=rule), [[1]] * 4)
    assert log(trace) == log_ and trace.weights["in->n"].tolist() == [[log_[-1]]]
    assert trace.potentials["n"].ravel().tolist() == potential


def test_only_synapses_with_a_spike_learn_and_inhibitory_ones_keep_their_sign():
    trace = run(network([[-3, -3]], inhibitory=True), [[0, 0], [1, 0], [1, 0]])
    assert trace.weights["in->n"].tolist() == [[-5, -3]]
    assert trace.potentials["n"].ravel().tolist() == [0, -3, -7]


def test_a_delay_teaches_when_the_spike_arrives():
    assert log(run(network(3, delay=2), [[1], [0], [0], [0]])) == [3, 3, 4, 4]


def test_calcium_decides_whether_a_neuron_learns():
    # It fires in every step: calcium is t + 1 after step t, and potentiates while below 3.
    rule = {**UP, "theta1": 1, "theta3": 3}
    trace = run(network(1, rule=rule, threshold=0), [[1]] * 5)
    assert log(trace) == [1, 2, 3, 3, 3] and trace.states["n.calcium"].tolist() == [[5]]
    # With a leak every second step, in which it fires as well, it grows half as fast.
    trace = run(network(1, rule={**rule, "leak": 2}, threshold=0), [[1]] * 6)
    assert log(trace) == [1, 2, 3, 4, 5, 5] and trace.states["n.calcium"].tolist() == [[3]]


@pytest.mark.parametrize(("switches", "log_", "potential"), [
    ({}, [3, 3], 0), ({"update_unmapped": True}, [3, 4], 0),
    ({"propagate_unmapped": True}, [3, 3], 6),
    ({"update_unmapped": True, "propagate_unmapped": True}, [3, 4], 6)])
def test_synapses_without_mapping_bit(switches, log_, potential):
    trace = run(network(3, mapped=False, **switches), [[1]] * 2)
    assert log(trace) == log_ and trace.potentials["n"][0, -1, 0] == potential


def test_bistability_drives_weights_apart():
    trace = run(network([[3, 4, 0, 7]], bistability=2), [[0] * 4] * 5)
    assert trace.weight_log["in->n"][:, 0].tolist() == [
        [3, 4, 0, 7], [2, 5, 0, 7], [2, 5, 0, 7], [1, 6, 0, 7], [1, 6, 0, 7]]
    still = run(network([[3, 4]], bistability=1, learn=False), [[0, 0]] * 3)
    assert still.weights["in->n"].tolist() == [[3, 4]]


def test_samples_hand_on_weights_but_not_flags():
    steps = [[1], [1]]
    assert log(run(network(1), steps, steps)) == [1, 2, 2, 3]
    assert log(run(network(1), steps, steps, keep_state=True)) == [1, 2, 3, 4]
    # The count of bistability starts anew with a run.
    settling = network(4, bistability=3, rule={**UP, "enable": False})
    assert log(run(settling, steps, steps)) == [4] * 4
    assert log(run(settling, steps, steps, keep_state=True)) == [4, 4, 5, 5]


def test_with_weights():
    net = network([[3, 4]])
    changed = net.with_weights({"in->n": np.array([[7, 0]])})
    assert changed.projections[0].weights.tolist() == [[7, 0]]
    assert net.projections[0].weights.tolist() == [[3, 4]] and changed.digest != net.digest
    trace = run(net, [[1, 1]] * 3)
    assert run(net.with_weights(trace.weights), [[1, 0]] * 2).weights["in->n"].tolist() == [[6, 6]]
    for weights, says in (([[8, 0]], "0..7"), ([[-1, 0]], "0..7"), ([[1]], "shape"),
                          ([[0.5, 1]], "integers")):
        with pytest.raises(UserError, match=says):
            net.with_weights({"in->n": np.array(weights)})
    with pytest.raises(UserError, match="there is no projection 'n->n'"):
        net.with_weights({"n->n": np.zeros((1, 1), int)})


@pytest.mark.parametrize(("values", "says"), [
    ({"theta1": 8}, "theta1 must be integers in 0..7"), ({"leak": 32}, "leak .* 0..31"),
    ({"theta2": -1}, "theta2 .* 0..7"), ({"theta_mem": 0.5}, "theta_mem must be integers"),
    ({"theta3": 0.5}, "theta3 .* 0..7")])
def test_wrong_calcium_rules(values, says):
    with pytest.raises(UserError, match=says):
        CalciumRule(**{**UP, **values})


def test_networks_that_cannot_learn_are_refused():
    net = network([[3, 4]])
    edge = net.projections[0]
    with pytest.raises(UserError, match="must be the only one between its ends"):
        replace(net, projections=(edge, replace(edge, synapses=None, delay=1)))
    with pytest.raises(UserError, match="plasticity needs a network with learning = Sdsp"):
        replace(net, learning=None)
    with pytest.raises(UserError, match="weight_bits must be an integer in 4..4, not 8"):
        replace(net, weight_bits=8)
    with pytest.raises(UserError, match="weights must be in -7..7, not -8"):
        replace(net, projections=(edge, Projection("n", "n", np.full((1, 1), -8), 1)))
    with pytest.raises(UserError, match="theta_mem must be in -32768..32767, not 40000"):
        replace(net, populations=(replace(net.populations[0], calcium=CalciumRule(
            **{**UP, "theta_mem": 40000})),))
    for weights, inhibitory in (([[8]], False), ([[-1]], False), ([[1]], True)):
        with pytest.raises(UserError, match="plastic weight must be in 0..7, from an inh"):
            network(weights, inhibitory=inhibitory)
    with pytest.raises(UserError, match="mapped must be booleans of shape"):
        replace(edge, synapses=SdspSynapses(np.zeros(2, bool), np.ones((2, 2), bool)))
    with pytest.raises(UserError, match="bistability must be a number of steps in 0..65535"):
        Sdsp(bistability=-1)
    with pytest.raises(UserError, match="weights_every must be a number of steps"):
        golden.run(net, Stimulus.from_dense(np.zeros((1, 2, 2))), weights_every=-1)
