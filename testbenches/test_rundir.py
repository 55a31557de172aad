# SPDX-License-Identifier: Apache-2.0
"""Run directories appear whole, replace only their own kind, and are read back or refused."""

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from neurotile import rundir
from neurotile.spec import UserError
from neurotile.spec.folders import FolderKind, check_folder, new_folder


def fill(folder, text="first"):
    rundir.write_json(folder / "run.json", {"made_by": rundir.MARK, "text": text})


def content(folder):
    return json.loads((folder / "run.json").read_text())["text"]


def test_directory_appears_when_the_block_ends(tmp_path):
    out = tmp_path / "a" / "b"
    with new_folder(out, rundir.RUN) as folder:
        fill(folder)
        assert not out.exists() and folder.parent.parent == out.parent
    assert content(out) == "first"
    assert [p.name for p in out.parent.iterdir()] == ["b"]
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE((tmp_path / "a").stat().st_mode)


def test_own_directory_is_replaced_as_a_whole(tmp_path):
    out = tmp_path / "run"
    for text, name in (("first", "report.html"), ("second", "trace.npz")):
        with new_folder(out, rundir.RUN) as folder:
            fill(folder, text)
            (folder / name).touch()
    assert content(out) == "second" and not (out / "report.html").exists()
    assert list(tmp_path.iterdir()) == [out]


def test_an_error_leaves_what_was_there(tmp_path):
    out = tmp_path / "run"
    with new_folder(out, rundir.RUN) as folder:
        fill(folder)
    with pytest.raises(ZeroDivisionError), new_folder(out, rundir.RUN) as folder:
        fill(folder, "second")
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "other", rundir.RUN):
        raise KeyboardInterrupt
    assert content(out) == "first" and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("file", ["thesis.tex", "run.json"])
def test_foreign_directory_is_refused_and_kept(tmp_path, file):
    out = tmp_path / "run"
    out.mkdir()
    (out / file).write_text('{"made_by": "me"}')
    with pytest.raises(UserError, match="holds other files"), new_folder(out, rundir.RUN):
        pytest.fail("the block must not run")
    assert [p.name for p in tmp_path.rglob("*")] == ["run", file]


@pytest.mark.parametrize("target", ["run", "run/below"])
def test_file_in_the_way_is_refused_and_kept(tmp_path, target):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(UserError, match="is a file"), new_folder(tmp_path / target, rundir.RUN):
        pytest.fail("the block must not run")
    assert (tmp_path / "run").read_text() == "mine"


def test_an_empty_directory_is_taken(tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with new_folder(out, rundir.RUN) as folder:
        fill(folder)
    assert content(out) == "first"


@pytest.mark.parametrize("name", ["notes.txt", "plots/report.html", "empty/", "run.json.bak"])
def test_own_directory_with_a_foreign_name_is_refused_and_kept(tmp_path, name):
    out = tmp_path / "run"
    with new_folder(out, rundir.RUN) as folder:
        fill(folder)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).mkdir() if name.endswith("/") else (out / name).write_text("mine")
    with pytest.raises(UserError, match=f"holds other files: {name.split('/')[0]}"), \
            new_folder(out, rundir.RUN):
        pytest.fail("the block must not run")
    assert (out / name).exists() and content(out) == "first"


def test_files_in_folders_are_known_by_their_pattern(tmp_path):
    kind = FolderKind("me", "a.json", ("a.json", "b/*.hex"))
    with new_folder(tmp_path / "out", kind) as folder:
        rundir.write_json(folder / "a.json", {"made_by": "me"})
        (folder / "b").mkdir()
        (folder / "b" / "x.hex").touch()
    check_folder(tmp_path / "out", kind)
    (tmp_path / "out" / "b" / "x.txt").touch()
    with pytest.raises(UserError, match="b/x.txt is not from `me`"):
        check_folder(tmp_path / "out", kind)


def test_a_link_is_followed(tmp_path):
    out, link = tmp_path / "run", tmp_path / "link"
    link.symlink_to(out)
    for text in ("first", "second"):
        with new_folder(link, rundir.RUN) as folder:
            fill(folder, text)
    assert link.is_symlink() and not out.is_symlink() and content(out) == "second"
    (out / "notes.txt").touch()
    with pytest.raises(UserError, match="notes.txt"):
        check_folder(link, rundir.RUN)


@pytest.mark.parametrize("out", [".", "..", "../..", "../here"])
def test_current_directory_and_those_above_are_refused(tmp_path, monkeypatch, out):
    (tmp_path / "a" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "here")
    with pytest.raises(UserError, match="current directory"):
        check_folder(Path(out), rundir.RUN)


def test_what_holds_an_input_is_refused(tmp_path):
    out, link = tmp_path / "run", tmp_path / "input.npz"
    with new_folder(out, rundir.RUN) as folder:
        fill(folder)
        (folder / "trace.npz").touch()
    link.symlink_to(out / "trace.npz")
    check_folder(out, rundir.RUN, inputs=(tmp_path / "model.nir", None))
    for file in (out / "trace.npz", link):
        with pytest.raises(UserError, match="which is read"):
            check_folder(out, rundir.RUN, inputs=(file,))


def test_npz_takes_any_name_and_is_the_same_every_time(tmp_path):
    # numpy.savez takes no array called "file", and writes the time of day.
    arrays: dict[str, np.ndarray] = {"file": np.arange(3), "lif1.lif": np.ones((2, 3), np.uint8),
              "a->b.w": np.zeros((0, 2), np.int32), "x.npy": np.array(["ä", "b"], "U64")}
    for name in ("one.npz", "two.npz"):
        rundir.write_npz(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as held:
        assert set(held.files) == set(arrays)
        for key, value in arrays.items():
            assert held[key].dtype == value.dtype and np.array_equal(held[key], value)


def test_npz_without_arrays_can_be_read(tmp_path):
    rundir.write_npz(tmp_path / "none.npz", {})
    with np.load(tmp_path / "none.npz") as held:
        assert held.files == []


def whole(folder):
    fill(folder)
    rundir.write_json(folder / "metrics.json", {})
    for name in ("trace.npz", "cycles.npz", "memories.npz"):
        rundir.write_npz(folder / name, {"a": np.arange(4)})


def test_read_gives_what_was_written(tmp_path):
    whole(tmp_path)
    files = rundir.read(tmp_path)
    assert files.run["text"] == "first" and files.metrics == {}
    assert np.array_equal(files.trace["a"], np.arange(4))


@pytest.mark.parametrize("name", ["metrics.json", "trace.npz", "cycles.npz", "memories.npz"])
@pytest.mark.parametrize("cut", [None, 0.5])
def test_damaged_run_is_refused(tmp_path, name, cut):
    whole(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if cut:
        (tmp_path / name).write_bytes(data[:int(len(data) * cut)])
    with pytest.raises(UserError, match="missing or damaged"):
        rundir.read(tmp_path)


def test_other_folders_are_no_runs(tmp_path):
    with pytest.raises(UserError, match="no such directory"):
        rundir.read(tmp_path / "gone")
    with pytest.raises(UserError, match="no run directory"):
        rundir.read(tmp_path)
