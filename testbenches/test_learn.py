# SPDX-License-Identifier: Apache-2.0
"""Learning images on a tile: the code, the tile's own decisions, engines, the command."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from neurotile.learn import coding, images, offline, tile
from neurotile.learn.evaluate import answers
from neurotile.learn.protocol import PROTOCOLS, Protocol
from neurotile.learn.session import hold
from neurotile.learn.train import teach
from neurotile.spec import UserError
from neurotile.spec.event_formats import EventKind, state_word
from neurotile.testbenches.cli_cases import call

DIGITS = PROTOCOLS["digits"]
SHARED = Path(os.environ.get("NEUROTILE_SHARED")
              or Path(__file__).resolve().parents[1].parent / "shared")
MNIST = SHARED / "data" / "mnist"


@pytest.fixture
def cli(monkeypatch, capsys):
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


@pytest.fixture(scope="module")
def digits():
    return images.digits()


@pytest.fixture(scope="module")
def pixels(digits):
    return images.prepared(digits.train, DIGITS)


# --- code ----------------------------------------------------------------------------------------

def test_rank_order_puts_bright_pixels_first_and_leaves_corners_out():
    image = np.zeros(256, np.uint8)
    image[[40, 50, 60, 70, coding.EXCITE, coding.RAMP]] = 90, 200, 90, 30, 255, 255
    assert coding.ranked(image, 30).tolist() == [50, 40, 60]
    assert coding.ranked(np.zeros(256, np.uint8), 0).tolist() == []


def test_baseline_is_spread_over_the_pixels():
    protocol = DIGITS.replace(baseline=5, precharge=3, ramp=2)
    listed = coding.question(np.arange(20, 41), protocol)
    spikes = listed.pre[listed.kind == EventKind.SPIKE]
    assert (spikes == coding.INHIBIT).sum() == 21 * 5 // 7
    assert (spikes == coding.EXCITE).sum() == 3 and (spikes == coding.RAMP).sum() == 2
    seen = spikes[~np.isin(spikes, [coding.INHIBIT, coding.EXCITE, coding.RAMP])]
    assert seen.tolist() == list(range(20, 41)), "pixels keep their order"


def test_a_bag_leaves_out_half_of_every_class():
    out = coding.bags(40, PROTOCOLS["bagged"], seed=3)
    assert out.shape == (8, 40)
    for label in range(10):
        assert (out[:, coding.classes(40) == label].sum(axis=1) == 2).all()


# --- what one lesson does ------------------------------------------------------------------------

@pytest.mark.parametrize(("label_fires", "other_fires"),
                         [(False, False), (False, True), (True, False), (True, True)])
def test_calcium_decides_who_learns(label_fires, other_fires):
    """Potentiated: taught and silent; depressed: not taught and firing; all others keep."""
    drive = np.arange(20, 40)
    weights = np.full((256, 10), 1, np.uint8)
    weights[drive, 4] = 6 if label_fires else 1
    weights[drive, 7] = 6 if other_fires else 1
    protocol = DIGITS.replace(precharge=20, baseline=0, score=4, margin=0)
    loaded = tile.LearningTile(tile.program(weights, protocol), "fast")
    listed = coding.lesson(drive, np.array([4]), protocol, np.random.default_rng(0), rate=1.0)
    loaded.process(coding.together(loaded.program.config, [listed])[0])
    after = loaded.weights(10)
    change = after.astype(int) - weights
    held = np.ones(256, bool)
    held[[coding.EXCITE, coding.INHIBIT, coding.RAMP, *coding.BAG_ROWS]] = False
    expected = np.zeros((256, 10), int)
    expected[drive, 4] = 0 if label_fires else 1
    expected[drive, 7] = -1 if other_fires else 0
    assert np.array_equal(change[held], expected[held])


def test_a_lesson_leaves_no_state(pixels, digits):
    """So that what a lesson does depends on weights and image alone; here neurons fire often."""
    protocol, most = DIGITS.replace(precharge=36, score=36, margin=0), 0
    loaded = tile.LearningTile(tile.program(tile.first_weights(10, protocol, 0), protocol), "fast")
    rng = np.random.default_rng(0)
    for image, label in zip(pixels[:20], digits.train_labels[:20], strict=True):
        listed = coding.lesson(coding.ranked(image, protocol.floor), np.array([label]), protocol,
                               rng, rate=0.3)
        trace = loaded.process(coding.together(loaded.program.config, [listed])[0])
        most = max(most, int((trace.spike_neuron == label).sum()))
        state = state_word().unpack(trace.memories["state"])
        assert not state["v"].any() and not state["calcium"].any()
    assert most >= 3


# --- learning ------------------------------------------------------------------------------------

def test_learning_beats_chance_by_far_and_repeats_exactly(digits):
    session = hold(digits, DIGITS)
    untrained = answers(session.before, images.prepared(digits.test, DIGITS), DIGITS)
    assert (untrained.label == digits.test_labels).mean() < 0.3
    assert session.metrics["accuracy"] > 0.75
    again = hold(digits, DIGITS)
    assert again.metrics == session.metrics and session.metrics["seed"] == 0
    assert hold(digits, DIGITS.replace(presentations=1), seed=1).metrics["digest"] \
        != session.metrics["digest"]


def test_bagged_neurons_of_a_class_differ(digits):
    protocol = DIGITS.replace(bags=8, bag_spikes=18)
    session = hold(digits, protocol, per_class=4)
    assert session.metrics["accuracy"] > 0.75
    fields = session.weights.reshape(256, 4, 10)
    assert all((fields[:, 0] != fields[:, k]).mean() > 0.3 for k in (1, 2, 3))


@pytest.mark.parametrize("engine", ["golden", "rtl"])
def test_engines_learn_the_same(pixels, digits, engine):
    """The engine runs other numbers of images at a time, which must not matter either."""
    n = 24
    fast = teach(pixels[:n], digits.train_labels[:n], DIGITS)
    other = teach(pixels[:n], digits.train_labels[:n], DIGITS, engine=engine)
    assert np.array_equal(fast.weights, other.weights)
    assert not np.array_equal(fast.weights, tile.first_weights(10, DIGITS, 0))
    asked = [answers(fast.weights, pixels[:12], DIGITS, engine=name) for name in ("fast", engine)]
    assert np.array_equal(asked[0].times, asked[1].times)
    if engine == "rtl":
        assert fast.cycles == other.cycles > 0
        assert np.array_equal(asked[0].cycles, asked[1].cycles)


# --- weights trained off-line --------------------------------------------------------------------

def test_offline_training_of_digits_answers_on_the_tile(pixels, digits):
    protocol = DIGITS.replace(precharge=12)
    weights = offline.train_offline(pixels, digits.train_labels, protocol, epochs=60)
    assert weights.min() >= 0 and weights.max() <= 7
    asked = answers(weights, images.prepared(digits.test, protocol), protocol)
    assert (asked.label == digits.test_labels).mean() > 0.85


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"{MNIST} is not there")
@pytest.mark.parametrize(("name", "least"), [("offline", 0.86), ("offline_deskewed", 0.88)])
def test_offline_weights_on_mnist(name, least):
    data, protocol = images.mnist(MNIST), offline.OFFLINE[name]
    asked = answers(offline.held_weights(name), images.prepared(data.test[:2000], protocol),
                    protocol)
    # The first half of the test set is the harder one.
    assert (asked.label == data.test_labels[:2000]).mean() > least - 0.02


@pytest.mark.long
@pytest.mark.skipif(not MNIST.is_dir(), reason=f"{MNIST} is not there")
def test_learning_mnist_reaches_odin():
    """84.5 %: Frenkel et al., IEEE TBioCAS 2019, doi 10.1109/TBCAS.2018.2880425."""
    data = images.mnist(MNIST)
    assert hold(data, PROTOCOLS["single"]).metrics["accuracy"] > 0.80
    assert hold(data, PROTOCOLS["bagged"], per_class=10).metrics["accuracy"] > 0.845


# --- bad input -----------------------------------------------------------------------------------

def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    """A small data set in MNIST's format."""
    rng = np.random.default_rng(0)
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(
            idx(rng.integers(0, 256, (30, 28, 28), np.uint8)))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(idx(np.arange(30, dtype=np.uint8) % 10)))
    return tmp_path


def test_files_may_be_compressed_or_not(folder):
    data = images.mnist(folder)
    assert data.train.shape == (30, 28, 28) and data.test_labels[13] == 3
    assert images.prepared(data.train, PROTOCOLS["single"]).shape == (30, 256)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("train-images-idx3-ubyte", None, "train-images-idx3-ubyte.gz is missing"),
    ("t10k-images-idx3-ubyte", b"hello", "is no IDX file of bytes with 3 dimensions"),
    ("t10k-images-idx3-ubyte", idx(np.zeros((30, 28, 28), np.uint8))[:-1], "its header says"),
    ("t10k-images-idx3-ubyte", idx(np.zeros((29, 28, 28), np.uint8)), "30 labels"),
    ("t10k-images-idx3-ubyte", idx(np.zeros((30, 8, 8), np.uint8)), r"\(30, 8, 8\)"),
    ("t10k-labels-idx1-ubyte.gz", b"no gzip", "cannot be read"),
    ("t10k-labels-idx1-ubyte.gz", gzip.compress(idx(np.full(30, 11, np.uint8))), "label 11"),
])
def test_damaged_files_are_refused(folder, name, content, message):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        images.mnist(folder)


def test_a_missing_folder_says_what_is_needed(tmp_path):
    with pytest.raises(UserError, match=r"four MNIST files.*does not download"):
        images.mnist(tmp_path / "none")


@pytest.mark.parametrize(("options", "message"), [
    ({"images": 301}, r"--images must be 1..300, as digits has no more; not 301"),
    ({"test_images": 0}, r"--test-images must be 1..154"),
    ({"per_class": 26}, r"--neurons-per-class must be 1..25, not 26"),
    ({"engine": "quick"}, "there is no engine 'quick'"),
    ({"weights": np.full((256, 10), 8)}, "integers 0..7"),
    ({"weights": np.zeros((64, 10), np.uint8)}, r"not uint8 \(64, 10\)"),
])
def test_impossible_sessions_are_refused(digits, options, message):
    with pytest.raises(UserError, match=message):
        hold(digits, DIGITS, **options)


def test_protocols_are_checked_and_kept_in_files(tmp_path):
    with pytest.raises(UserError, match=r"precharge must be an integer in 0..36, not 37"):
        DIGITS.replace(precharge=37)
    with pytest.raises(UserError, match="weight_high must be at least weight_low = 1"):
        DIGITS.replace(weight_high=0)
    for protocol in PROTOCOLS.values():
        (tmp_path / "p.toml").write_text(protocol.to_toml())
        assert Protocol.from_toml(tmp_path / "p.toml") == protocol


# --- command -------------------------------------------------------------------------------------

def test_the_command_writes_everything(cli, tmp_path):
    out = tmp_path / "learnt"
    (tmp_path / "short.toml").write_text(DIGITS.replace(presentations=1).to_toml())
    done = cli("learn", "--out", out, "--protocol", tmp_path / "short.toml", "--images", 60)
    assert done.code == 0 and "accuracy" in done.out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["images"] == 60 and metrics["protocol"]["presentations"] == 1
    assert np.sum(metrics["confusion"]) == metrics["test_images"] == 154
    with np.load(out / "learnt.npz") as held:
        assert held["weights"].shape == (256, 10)
        assert (held["history_weights"].sum(axis=1) == 2560).all()
        assert (held["history_calcium"].sum(axis=(1, 2))[1:] == 10 * np.diff(
            held["history_images"])).all()
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 5 and "Receptive fields" in page
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    assert cli("learn", "--out", out, "--protocol", tmp_path / "short.toml", "--images",
               60).code == 0
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before, "same bytes again"


@pytest.mark.parametrize(("arguments", "message"), [
    (["--offline"], "needs --data"),
    (["--data", "nowhere"], "there is no such folder"),
    (["--protocol", "nowhere.toml"], "there is no such file"),
])
def test_the_command_refuses(cli, tmp_path, arguments, message):
    done = cli("learn", "--out", tmp_path / "out", *arguments)
    assert done.code == 2 and message in done.err and not (tmp_path / "out").exists()
