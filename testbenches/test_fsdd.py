# SPDX-License-Identifier: Apache-2.0
"""Spoken digits: the front end, delays in float and integers, the stored networks."""

import subprocess
import sys

import nir
import numpy as np
import pytest

import neurotile
from neurotile.fsdd import evaluate, live_events
from neurotile.fsdd_mesh import on_mesh, queue_use
from neurotile.metrics import output_population, predictions
from neurotile.models import golden
from neurotile.models.quantise import quantise
from neurotile.models.zoo import fsdd
from neurotile.models.zoo.fsdd import DelayNetwork, cochlea
from neurotile.spec import Stimulus, UserError
from neurotile.testbenches.equality import differences
from neurotile.testbenches.nir_cases import shared_data

RNG = np.random.default_rng
FLOOR = 0.97


def tone(frequency, seconds=0.3, silence=0.1):
    t = np.arange(int(seconds * cochlea.RATE)) / cochlea.RATE
    quiet = np.zeros(int(silence * cochlea.RATE))
    sound = 10000 * np.sin(2 * np.pi * frequency * t)
    return np.concatenate([quiet, sound, quiet]).astype(np.int16)


def random_network(seed, *, hidden=7, inputs=5, copies=3, last=63):
    rng = RNG(seed)
    delay = rng.permuted(np.broadcast_to(np.arange(last + 1), (hidden, inputs, last + 1)),
                         axis=2)[:, :, :copies]
    return DelayNetwork(
        weight=rng.normal(0.2, 0.4, delay.shape).astype(np.float32),
        delay=delay.astype(np.uint8), readout=rng.normal(0, 1, (4, hidden)).astype(np.float32),
        decay=rng.uniform(0.5, 0.95, hidden).astype(np.float32),
        decay_out=rng.uniform(0.8, 0.95, 4).astype(np.float32))


def archive(path, **changes):
    held = {"audio": np.concatenate([tone(500), tone(2000)]), "length": np.array([4000, 4000]),
            "label": np.array([5, 2], np.uint8), "speaker": np.zeros(2, np.uint8),
            "index": np.array([4, 5], np.uint8), "sample_rate": np.array(8000)} | changes
    np.savez(path, **{key: value for key, value in held.items() if value is not None})
    return path


# Front end

def test_shape_and_repetition():
    noise = RNG(1).integers(-3000, 3000, 3000).astype(np.int16)
    spikes = cochlea.encode(noise)
    assert spikes.shape == (cochlea.STEPS, cochlea.LINES) and spikes.dtype == np.uint8
    assert cochlea.LINES <= 64 and set(np.unique(spikes)) == {0, 1}
    np.testing.assert_array_equal(spikes, cochlea.encode(noise.copy()))


@pytest.mark.parametrize("frequency", [300, 1000, 3000])
def test_a_tone_fires_its_place(frequency):
    spikes = cochlea.encode(tone(frequency)).astype(int)
    on, off = spikes[:, :cochlea.BANDS], spikes[:, cochlea.BANDS:]
    centre = cochlea.mel_filters().argmax(axis=1) * cochlea.RATE / 256
    place = np.abs(centre - frequency).argmin()
    assert cochlea.band_levels(tone(frequency))[25].argmax() == pytest.approx(place, abs=1)
    # It sounds in steps 10 to 39: first rises, nothing while it stays, falls at the end.
    assert on[8:13, place].sum() and not on[:8].any()
    assert not spikes[15:36].any()
    assert off[37:45, place].sum() and not off[45:].any()


def test_loudness_and_silence():
    sound = RNG(2).normal(0, 100, 3000).astype(np.int16)
    np.testing.assert_array_equal(cochlea.encode(sound), cochlea.encode(sound * 16))
    assert not cochlea.encode(np.zeros(2000, np.int16)).any()
    assert not cochlea.encode(np.zeros(0, np.int16)).any()


def test_long_recordings_are_cut():
    long = RNG(3).integers(-3000, 3000, 12000).astype(np.int16)
    long[0] = 4000  # the peak, by which all is scaled, is kept
    window = 64 * 80 + 200
    np.testing.assert_array_equal(cochlea.encode(long), cochlea.encode(long[:window]))


def test_level_crossings_by_hand():
    levels = np.array([0.0, 3.9, 4.0, 12.5, 9.0, 8.0, -50.0])[:, None]
    spikes = cochlea.level_crossings(levels, step=4.0, floor=0.0)
    #                            at 4  at 12     at 8 at 0
    assert spikes[:, 0].tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert spikes[:, 1].tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_reading_and_splitting(tmp_path):
    recordings = cochlea.read(archive(tmp_path / "two.npz"))
    assert recordings.split("test").tolist() == [0] and recordings.split("train").tolist() == [1]
    spikes, labels = cochlea.stimulus(recordings, np.array([1, 0]))
    assert labels.tolist() == [2, 5]
    np.testing.assert_array_equal(spikes[0], cochlea.encode(tone(2000)))
    np.testing.assert_array_equal(spikes[1], cochlea.encode(tone(500)))


def test_refusals(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        cochlea.read(tmp_path / "none.npz")
    with pytest.raises(UserError, match="lacks label"):
        cochlea.read(archive(tmp_path / "a.npz", label=None))
    with pytest.raises(UserError, match="sample_rate must be 8000, not 16000"):
        cochlea.read(archive(tmp_path / "b.npz", sample_rate=np.array(16000)))
    with pytest.raises(UserError, match="parts are train and test, not 'all'"):
        cochlea.read(archive(tmp_path / "c.npz")).split("all")
    with pytest.raises(UserError, match="the zoo has fsdd_"):
        fsdd.load("fsdd")


def test_command_writes_a_stimulus(tmp_path):
    out = tmp_path / "spikes.npz"
    subprocess.run([sys.executable, "-m", "neurotile.models.zoo.fsdd.stimulus", "--data",
                    archive(tmp_path / "two.npz"), "--out", out], check=True, timeout=60)
    stimulus = Stimulus.from_file(out)
    assert (stimulus.samples, stimulus.steps, stimulus.inputs) == (1, 64, 64)
    assert stimulus.labels is not None and stimulus.labels.tolist() == [5]
    np.testing.assert_array_equal(stimulus.dense()[0], cochlea.encode(tone(500)))


# Delays

@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [4, 8])
def test_projections_equal_synapses_with_delays(seed, bits):
    # Every spike is sent over every synapse by itself, with that synapse's own delay, and the
    # integer update is written out again from docs/semantics.md.
    net = random_network(seed)
    steps, (hidden, inputs, copies) = 80, net.weight.shape
    spikes = (RNG(seed + 100).random((steps, inputs)) < 0.15).astype(np.uint8)
    integers = net.integers(weight_bits=bits)
    trace = golden.run(integers, Stimulus.from_dense(spikes))
    top = (1 << bits - 1) - 1
    weight = np.rint(net.weight.astype(float) * (top / float(np.abs(net.weight).max()))).astype(int)
    arriving = np.zeros((steps + 64, hidden), int)
    for t, i in zip(*np.nonzero(spikes), strict=True):
        for j in range(hidden):
            for c in range(copies):
                arriving[t + net.delay[j, i, c], j] += weight[j, i, c]
    p = integers.population_names["hidden"]
    v, fired = np.zeros(hidden, int), np.zeros((steps, hidden), int)
    for t in range(steps):
        u = (v * p.decay_v + 2048 >> 12) + (arriving[t] << p.shift)
        assert np.abs(u).max() < 1 << 15
        fired[t] = u > p.threshold
        v = np.where(fired[t], 0, u)
    assert fired.any() and weight.any()
    np.testing.assert_array_equal(trace.spikes["hidden"][0], fired)


def test_integers_of_many_bits_equal_floats():
    # A grid of 16 bits differs from floats only where a potential grazes the threshold.
    net = random_network(7, hidden=20)
    spikes = (RNG(8).random((30, 90, 5)) < 0.1).astype(np.uint8)
    scores, fired = net.scores(spikes)
    network = net.integers(weight_bits=16, state_bits=32, decay_bits=15)
    trace = golden.run(network, Stimulus.from_dense(spikes))
    assert fired.mean() > 0.01
    assert (trace.spikes["hidden"] != fired).mean() < 2e-3
    agreed = predictions(output_population(network), trace) == scores.argmax(axis=1)
    assert agreed.mean() >= 0.9


def test_expanded_training_network_equals_the_stored_one():
    torch = pytest.importorskip("torch")
    from neurotile.models.zoo.fsdd.train import ExpandedNetwork
    torch.manual_seed(0)
    net = ExpandedNetwork(range(0, 12, 3), 9, inputs=6, classes=3)
    net.prune(2)
    spikes = (RNG(0).random((20, 40, 6)) < 0.2).astype(np.uint8)
    with torch.no_grad():
        wanted = net(torch.from_numpy(spikes).float()).numpy()
        wanted_fired = net.hidden(torch.from_numpy(spikes).float()).transpose(0, 1).numpy()
    stored = net.finished()
    assert stored.parameters == 9 * 6 * 2 + 9 * 3 + 9 + 3
    assert sorted(stored.levels()) == [0, 3, 6, 9]
    kept = (net.weight * net.mask).detach().permute(0, 2, 1).numpy()
    for level, (delay, weight) in enumerate(stored.levels().items()):
        assert delay == 3 * level
        np.testing.assert_array_equal(weight, kept[level])
    scores, fired = stored.scores(spikes)
    np.testing.assert_array_equal(fired, wanted_fired)
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-4)


def test_files_and_refusals(tmp_path):
    net = random_network(3)
    net.save(tmp_path / "net.npz")
    again = DelayNetwork.load(tmp_path / "net.npz")
    for key, value in vars(net).items():
        np.testing.assert_array_equal(getattr(again, key), value)
    with pytest.raises(UserError, match=r"decay must have shape \(7,\), not \(3,\)"):
        DelayNetwork(**vars(net) | {"decay": net.decay[:3]})
    with pytest.raises(UserError, match="two synapses of a pair have the same delay"):
        DelayNetwork(**vars(net) | {"delay": np.zeros_like(net.delay)})
    with pytest.raises(UserError, match="weight_bits must be at least 2"):
        net.integers(weight_bits=1)


def test_gradients_equal_automatic_ones():
    torch = pytest.importorskip("torch")
    from neurotile.models.zoo.fsdd.train import ExpandedNetwork
    torch.manual_seed(1)
    net = ExpandedNetwork(range(0, 6, 2), 5, inputs=4, classes=3)
    with torch.no_grad():
        net.weight.mul_(2.0)
    spikes, wanted = (torch.rand(6, 25, 4) < 0.3).float(), torch.randn(25, 6, 5)
    parameters = [net.weight, net.leak]
    fired = net.hidden(spikes)
    found = torch.autograd.grad((fired * wanted).sum(), parameters)

    drive = torch.zeros(25, 6, 5)
    for level, delay in enumerate(net.levels):
        for t in range(delay, 25):
            drive = drive.index_add(0, torch.tensor([t]),
                                    (spikes[:, t - delay] @ net.weight[level])[None])
    v, loss = torch.zeros(6, 5), torch.zeros(())
    for t in range(25):
        u = v * torch.sigmoid(net.leak) + drive[t]
        hit = (u > 1.0).float()
        np.testing.assert_array_equal(hit.numpy(), fired[t].detach().numpy())
        # A straight-through step whose slope is the fast sigmoid's.
        slope = (1.0 / (1.0 + 5.0 * (u - 1.0).abs()) ** 2).detach()
        loss = loss + ((hit + slope * (u - u.detach())) * wanted[t]).sum()
        v = u * (1.0 - hit)
    assert 0 < fired.mean() < 1
    for a, b in zip(found, torch.autograd.grad(loss, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_equal_numbers_of_parameters():
    pytest.importorskip("torch")
    from neurotile.models.zoo.fsdd.train import width_without_delays
    for hidden in (24, 48):
        with_delays = hidden * (2 * 64 + 10 + 1)
        width = width_without_delays(hidden)
        assert width * (64 + 10 + 1) >= with_delays > (width - 1) * (64 + 10 + 1)


def test_live_events_by_counting():
    net = random_network(2, hidden=2, copies=1, last=9)
    spikes = (RNG(3).random((4, 30, 5)) < 0.3).astype(np.uint8)
    most = 0
    for sample in spikes:
        for now in range(30):
            most = max(most, sum(1 for t, i in zip(*np.nonzero(sample), strict=True)
                                 if t <= now <= t + net.delay[:, i].max()))
    assert live_events(net, spikes) == most


# Stored networks

def test_a_tile_runs_the_delays():
    # The host sends the event of every level that many steps later; spikes and states agree.
    spikes = (RNG(5).random((3, 64, 64)) < 0.08).astype(np.uint8)
    network = fsdd.load("fsdd_delays48_0").integers()
    wanted, found = (neurotile.run(network, spikes, engine=engine).trace
                     for engine in ("golden", "fast"))
    assert wanted.spikes["hidden"].any()
    assert differences(wanted, found) == []


def test_stored_networks():
    for name in fsdd.names():
        net = fsdd.load(name)
        kind, seed = name.removesuffix("_4bit").removeprefix("fsdd_").rsplit("_", 1)
        assert seed in "012" and (kind == f"delays{len(net.weight)}" or kind.startswith("none"))
        assert set(net.levels()) == (set(range(0, 32, 2)) if kind.startswith("delays") else {0})
        if name.endswith("_4bit"):
            for weight in (net.weight, net.readout):
                grid = weight / np.abs(weight).max() * 7
                np.testing.assert_allclose(grid, np.rint(grid), atol=1e-4)


@pytest.mark.parametrize("bits", [4, 8])
def test_nir_files_give_the_same_integers(tmp_path, bits):
    spikes = Stimulus.from_dense(RNG(6).random((4, 64, 64)) < 0.08)
    for name in fsdd.names():
        net = fsdd.load(name)
        nir.write(tmp_path / f"{name}.nir", net.to_nir())
        read = neurotile.load(tmp_path / f"{name}.nir")
        found, _ = quantise(read, weight_bits=bits)
        wanted = net.integers(weight_bits=bits)
        assert read.warnings == () and (found.name, found.dt) == (name, wanted.dt)
        assert [(e.source, e.target, e.delay) for e in found.projections] == [
            (e.source, e.target, e.delay) for e in wanted.projections]
        for a, b in zip(found.projections, wanted.projections, strict=True):
            np.testing.assert_array_equal(a.weights, b.weights, err_msg=f"{name}: {a.delay}")
        hidden = [n.population_names["hidden"] for n in (found, wanted)]
        assert len({(p.model, p.shift, p.reset) for p in hidden}) == 1
        for key in ("threshold", "v_reset", "bias", "decay_v"):
            np.testing.assert_array_equal(*(getattr(p, key) for p in hidden))
        one, other = (golden.run(n, spikes) for n in (found, wanted))
        assert one.spikes["hidden"].any()
        np.testing.assert_array_equal(one.spikes["hidden"], other.spikes["hidden"])
        # The readout's shift is chosen by another rule; without it the potentials are the same.
        shift = [n.population_names["output"].shift for n in (found, wanted)]
        assert abs(shift[0] - shift[1]) <= 1
        if shift[0] == shift[1]:
            np.testing.assert_array_equal(one.potentials["output"], other.potentials["output"])


def test_delays_of_a_nir_graph_are_those_of_single_synapses():
    net = random_network(9)
    read = neurotile.load(net.to_nir())
    for e in read.projections[:-1]:
        here = (net.delay == e.delay).any(axis=2)
        np.testing.assert_array_equal(e.weights != 0, here)
        np.testing.assert_allclose(e.weights, net.levels()[e.delay], rtol=1e-12)
    assert [e.delay for e in read.projections] == [*np.unique(net.delay).tolist(), 0]
    hidden, output = read.populations
    np.testing.assert_allclose(hidden.decay_v, net.decay, rtol=1e-12)
    np.testing.assert_allclose(output.decay_v, net.decay_out, rtol=1e-12)
    assert (hidden.threshold == 1).all() and hidden.reset == "zero"


@pytest.mark.parametrize("delay", ["scdq", "ring"])
def test_the_queue_of_a_tile_delays_events(delay):
    spikes = (RNG(6).random((3, 64, 64)) < 0.08).astype(np.uint8)
    stimulus = Stimulus.from_dense(spikes)
    net = fsdd.load("fsdd_delays48_1_4bit")
    network = net.integers(weight_bits=4)
    wanted = golden.run(network, stimulus)
    made = on_mesh(network, delay)
    assert made.mesh.tile.delay == delay and made.mesh.config.tiles == 1
    found = neurotile.run(made, stimulus, engine="fast")
    assert wanted.spikes["hidden"].any()
    assert differences(wanted, found.trace) == []
    use = queue_use(network, delay, stimulus, stimulus, wanted)
    # A queue holds the events that have delays to serve, and at most all hidden spikes of a step.
    alive = live_events(net, spikes) if delay == "scdq" else int(spikes.sum(axis=2).max())
    assert use.equal and use.drops == 0
    assert use.high_water <= min(alive + network.population_names["hidden"].size, use.bound)
    if delay == "scdq":
        assert use.high_water >= 0.9 * alive
        assert use.bound == sum(int(net.delay[:, line][weight != 0].max()) + 1 for line, weight in
                                enumerate(_rounded_pairs(network, net))) + np.count_nonzero(
                                    network.projections[-1].weights.any(axis=0))


def _rounded_pairs(network, net):
    """Integer weights (lines, hidden, copies) of every synapse."""
    by_delay = {e.delay: e.weights for e in network.projections if e.source == "input"}
    hidden, lines, copies = net.weight.shape
    return np.array([[[by_delay[int(net.delay[j, i, c])][j, i] for c in range(copies)]
                      for j in range(hidden)] for i in range(lines)])


def test_a_queue_that_is_too_short_is_reported():
    network = fsdd.load("fsdd_delays24_0").integers()
    few, many = (Stimulus.from_dense((RNG(9).random((2, 64, 64)) < share).astype(np.uint8))
                 for share in (0.01, 0.2))
    use = queue_use(network, "scdq", many, few, golden.run(network, many))
    assert use.drops > 0 and not use.equal
    assert use.profiled_depth < use.high_water <= use.bound <= use.worst_depth
    assert use.worst_bits == 2 * use.worst_depth * (11 + 5)  # {axon, wait}, PRE and POST


def test_queues_by_profile_lose_nothing_of_the_test_split():
    recordings = cochlea.read(shared_data("fsdd") / "fsdd.npz")
    train, _ = cochlea.stimulus(recordings, recordings.split("train")[::85])
    spikes, _ = cochlea.stimulus(recordings, recordings.split("test"))
    stimulus = Stimulus.from_dense(spikes)
    net = fsdd.load("fsdd_delays48_0")
    network = net.integers()
    use = queue_use(network, "scdq", stimulus, Stimulus.from_dense(train),
                    golden.run(network, stimulus))
    assert use.equal and use.drops == 0
    assert use.profiled_depth < use.bound
    assert live_events(net, spikes) <= use.high_water <= use.profiled_depth


def test_accuracy_on_the_test_split():
    recordings = cochlea.read(shared_data("fsdd") / "fsdd.npz")
    spikes, labels = cochlea.stimulus(recordings, recordings.split("test"))
    assert len(labels) == 300
    net = fsdd.load("fsdd_delays48_0")
    found = evaluate(net, fsdd.load("fsdd_delays48_0_4bit"), spikes, labels)
    assert found.floating >= FLOOR
    assert min(found.bits8, found.bits4, found.tuned4) >= found.floating - 0.01
    assert found == evaluate(net, fsdd.load("fsdd_delays48_0_4bit"), spikes, labels, "fast")
    assert found.equal
    without, _ = fsdd.load("fsdd_none89_0").scores(spikes)
    assert (without.argmax(axis=1) == labels).mean() < found.floating
