"""A checkpoint is whole or is not there; what is damaged is noticed, and nothing in one is ever run."""

import io
import json
import os
import pickle
import shutil
from contextlib import suppress

import numpy as np
import pytest

from netsim.errors import InputError, RunError
from rl import checkpoints
from rl.checkpoints import Checkpoints
from rl.policy import load_agent
from rl.training import train
from tests.rl.small import NAMES, files_of, request_of

# -- a disk and a machine that fail ------------------------------------------------------------------------------------


class Killed(BaseException):
    """What a kill looks like from within: nothing after it runs."""


class Trouble:
    """Lets the n-th operation on the disk fail: opening for writing, writing, fsync, mkdir and rename all count.

    A write that fails has written the first half of what it should.
    """

    def __init__(self, monkeypatch, at, error):
        self.at, self.error, self.count = at, error, 0
        for name in ("fsync", "mkdir", "rename", "replace", "rmdir", "unlink"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))
        monkeypatch.setattr(io, "open", self._opening(io.open))

    def strikes(self):
        self.count += 1
        return self.count == self.at

    def _counted(self, operation):
        def counted(path, *arguments, **options):
            there_already = operation.__name__ == "mkdir" and os.path.isdir(path)
            if not there_already and self.strikes():
                raise self.error
            return operation(path, *arguments, **options)

        return counted

    def _opening(self, operation):
        def opening(file, mode="r", *arguments, **options):
            if "r" not in mode and self.strikes():
                raise self.error
            opened = operation(file, mode, *arguments, **options)
            return opened if "r" in mode else Writing(opened, self)

        return opening


class Writing:
    """A file opened for writing."""

    def __init__(self, file, trouble):
        self._file, self._trouble = file, trouble

    def write(self, content):
        if self._trouble.strikes():
            self._file.write(content[: len(content) // 2])
            self._file.flush()
            raise self._trouble.error
        return self._file.write(content)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def contents(number):
    """State, groups and a further file of a checkpoint, all of which tell its number."""
    groups = {name: {"values": np.full(5, number + k)} for k, name in enumerate(("agent", "replay"))}

    def files(folder):
        checkpoints._write_durably(folder / "plant", b"plant %d" % number)

    return {"loss": number / 8}, groups, files


def expect_whole(found, number):
    state, groups, _ = contents(number)
    assert found.interactions == number
    assert found.state == state
    for name, arrays in groups.items():
        assert found.arrays(name)["values"].tolist() == arrays["values"].tolist()
    assert (found.folder / "plant").read_bytes() == b"plant %d" % number


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Killed()], ids=["error", "kill"])
@pytest.mark.parametrize("numbers", [(10,), (10, 20), (10, 20, 30)], ids=["first", "second", "third"])
def test_whatever_operation_fails_the_old_checkpoint_is_there_or_the_new(numbers, error, monkeypatch, tmp_path):
    """For the n-th operation, n = 1, 2, ... until there is no n-th. The third replaces the first."""
    *before, new = numbers
    reference = tmp_path / "reference"
    for number in numbers:
        Checkpoints(reference, 10).write(number, *contents(number))
    outcomes, at = [], 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        made = Checkpoints(folder, 10)
        for number in before:
            made.write(number, *contents(number))
        with monkeypatch.context() as patched:
            trouble = Trouble(patched, at, error)
            with suppress(Killed if isinstance(error, Killed) else RunError):
                made.write(new, *contents(new))
        found = Checkpoints(folder, 10).newest()
        if found is None:
            assert not before
        else:
            assert found.interactions in (*before[-1:], new)
            assert found.skipped == ()
            expect_whole(found, found.interactions)
        outcomes.append(None if found is None else found.interactions)
        if trouble.count < at:
            break
        Checkpoints(folder, 10).write(new, *contents(new))
        assert files_of(folder) == files_of(reference)
        shutil.rmtree(folder)
    assert len(outcomes) > 12  # four files opened, written and made durable, folders, a rename
    first_new = outcomes.index(new)
    assert set(outcomes[:first_new]) == {before[-1] if before else None}
    assert set(outcomes[first_new:]) == {new}


def test_a_checkpoint_written_again_is_there_all_the_time(monkeypatch, tmp_path):
    made = Checkpoints(tmp_path, 10)
    made.write(10, *contents(10))
    before = files_of(tmp_path)
    for at in range(1, 5):
        with monkeypatch.context() as patched:
            Trouble(patched, at, Killed())
            made.write(10, *contents(10))
        assert files_of(tmp_path) == before


def test_an_error_leaves_nothing_half_written(monkeypatch, tmp_path):
    made = Checkpoints(tmp_path, 10)
    made.write(10, *contents(10))
    before = files_of(tmp_path)
    with monkeypatch.context() as patched:
        Trouble(patched, 7, OSError(28, "No space left on device"))
        with pytest.raises(RunError, match=r"^cannot write a checkpoint to .*: No space left on device$"):
            made.write(20, *contents(20))
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("keep", [1, 2, 3, 5])
def test_the_newest_due_are_kept_and_one_out_of_turn_until_the_next(keep, tmp_path):
    made = Checkpoints(tmp_path, 10, keep=keep)
    for number in (10, 20, 25, 30, 40, 47):
        made.write(number, *contents(number))
        due = [each for each in (10, 20, 30, 40) if each <= number][-keep:]
        if number not in due:
            due = [*due[max(0, len(due) - keep + 1) :], number] if keep > 1 else [number]
        assert sorted(int(path.name) for path in tmp_path.iterdir()) == due
    assert [number for number in range(1, 31) if made.due(number)] == [10, 20, 30]


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path):
    """A folder with checkpoints 10 and 20."""
    for number in (10, 20):
        Checkpoints(tmp_path, 10).write(number, *contents(number))
    return tmp_path


def expect_older(folder, why=""):
    found = Checkpoints(folder, 10).newest()
    expect_whole(found, 10)
    [skipped] = found.skipped
    assert f"checkpoint {folder / '0000000020'} is damaged and was passed over" in skipped
    assert why in skipped


def test_a_manifest_cut_at_any_byte_is_noticed(two):
    path = two / "0000000020" / "manifest.json"
    content = path.read_bytes()
    # Without its last line break it is the same JSON, and everything that it says is checked.
    for length in range(len(content) - 1):
        path.write_bytes(content[:length])
        expect_older(two)


def test_every_flipped_bit_is_noticed(two):
    rng = np.random.Generator(np.random.Philox(3))
    paths = sorted((two / "0000000020").iterdir())
    assert len(paths) == 4
    for k in range(1000):
        path = paths[k % len(paths)]
        content = path.read_bytes()
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        if path.name != "manifest.json" or damaged.split() != content.split():  # white space tells nothing
            expect_older(two)
        path.write_bytes(content)
    expect_whole(Checkpoints(two, 10).newest(), 20)


@pytest.mark.parametrize("name", ["agent.safetensors", "replay.safetensors", "plant", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "of the older", "a folder"])
def test_missing_and_swapped_files_are_noticed(two, name, damage):
    path = two / "0000000020" / name
    path.unlink()
    if damage == "empty":
        path.touch()
    elif damage == "of the older":
        shutil.copy(two / "0000000010" / name, path)
    elif damage == "a folder":
        path.mkdir()
    expect_older(two)


def test_files_swapped_within_a_checkpoint_are_noticed(two):
    one, other = (two / "0000000020" / f"{name}.safetensors" for name in ("agent", "replay"))
    one.rename(two / "aside")
    other.rename(one)
    (two / "aside").rename(other)
    expect_older(two, "is not the file that was written")


def test_an_older_checkpoint_under_a_newer_name_is_noticed(two):
    shutil.rmtree(two / "0000000020")
    shutil.copytree(two / "0000000010", two / "0000000020")
    expect_older(two, "manifest is not the one that was written")


@pytest.mark.parametrize("text", ["", "null", "1", '"text"', "[]", "{}", '{"sha256": 1}', "[" * 100_000, "\xff"])
def test_a_manifest_that_is_something_else_is_noticed(two, text):
    (two / "0000000020" / "manifest.json").write_text(text, "latin-1")
    expect_older(two)


def test_where_none_is_whole_it_says_so_of_each(two):
    for path in two.glob("*/plant"):
        path.write_bytes(b"")
    with pytest.raises(RunError) as raised:
        Checkpoints(two, 10).newest()
    lines = str(raised.value).splitlines()
    assert [("0000000020" in lines[0]), ("0000000010" in lines[1])] == [True, True]
    assert lines[2] == "no checkpoint is whole; `--force` starts again from the beginning"


def test_what_is_no_checkpoint_s_name_is_not_looked_at(two):
    (two / ".0000000030.partial").mkdir()
    (two / "notes").mkdir()
    (two / "30").mkdir()
    expect_whole(Checkpoints(two, 10).newest(), 20)


# -- a training on damaged checkpoints ---------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path):
    """A training stopped after 50 of 60 interactions, with checkpoints at 40 and 50."""

    def progress(done, *_):
        if done == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(request_of("ddqn"), tmp_path / "run", progress=progress)
    return tmp_path / "run"


def test_a_training_goes_on_from_the_newest_that_is_whole_and_says_so(stopped, tmp_path):
    (stopped / "checkpoints" / "0000000050" / "replay.safetensors").write_bytes(b"")
    told = []
    train(request_of("ddqn"), stopped, resume=True, notice=told.append)
    assert "0000000050 is damaged and was passed over: replay.safetensors" in told[0]
    assert told[1:] == ["going on after 40 interactions"]
    train(request_of("ddqn"), tmp_path / "reference")
    here, there = files_of(stopped), files_of(tmp_path / "reference")
    damaged = {name for name in here if "0000000050" in name}
    assert {name: content for name, content in here.items() if name not in damaged} == there


def test_a_training_never_begins_again_in_silence(stopped):
    for path in (stopped / "checkpoints").glob("*/agent.safetensors"):
        path.write_bytes(b"")
    before = files_of(stopped)
    with pytest.raises(RunError, match="no checkpoint is whole"):
        train(request_of("ddqn"), stopped, resume=True)
    assert files_of(stopped) == before
    shutil.rmtree(stopped / "checkpoints")
    told = []
    train(request_of("ddqn"), stopped, resume=True, notice=told.append)
    assert told == [f"{stopped} has no checkpoint, the training begins at the beginning"]


@pytest.mark.parametrize("damage", [lambda text: text[:-5], lambda text: b" " + text[1:], lambda _: b""])
def test_metrics_that_were_changed_are_noticed(stopped, damage):
    path = stopped / "metrics.jsonl"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunError, match=r"metrics\.jsonl is not the file that was written"):
        train(request_of("ddqn"), stopped, resume=True)


def test_a_training_s_manifest_cut_at_any_byte_is_noticed(stopped):
    path = stopped / "manifest.json"
    content = path.read_bytes()
    for length in [0, 1, 2, *range(3, len(content) - 1, 41), len(content) - 2]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="is damaged or no manifest of a training"):
            train(request_of("ddqn"), stopped, resume=True)


def test_lines_written_after_the_checkpoint_are_cut_off(stopped, tmp_path):
    with (stopped / "metrics.jsonl").open("ab") as file:
        file.write(b'{"interactions": 60, "rew')
    train(request_of("ddqn"), stopped, resume=True)
    train(request_of("ddqn"), tmp_path / "reference")
    assert files_of(stopped) == files_of(tmp_path / "reference")


def test_a_checkpoint_of_another_network_does_not_fit(stopped):
    """Sealed as if it had been written so: only its arrays are of another width."""
    place = stopped / "checkpoints" / "0000000050"
    agent = dict(checkpoints.Checkpoint(50, place, {}).arrays("agent"))
    agent["parameters"] = agent["parameters"][:-1]
    checkpoints.write_arrays(place / "agent.safetensors", agent)
    reseal(place)
    with pytest.raises(RunError, match=r"does not fit what was asked for: parameters: must be torch\.float32 of shape"):
        train(request_of("ddqn"), stopped, resume=True)


def reseal(place):
    state = json.loads((place / "manifest.json").read_bytes())["state"]
    (place / "manifest.json").unlink()
    Checkpoints(place.parent, 10)._seal(place, int(place.name), state)


# -- nothing is run ----------------------------------------------------------------------------------------------------


class Malicious:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


def malicious_forms(trace):
    """A pickle, as it is and as numpy keeps objects."""
    array = io.BytesIO()
    np.save(array, np.array([Malicious(trace)], dtype=object), allow_pickle=True)
    return pickle.dumps(Malicious(trace)), array.getvalue()


@pytest.mark.parametrize("name", ["agent.safetensors", "replay.safetensors", "training.safetensors", "plant"])
@pytest.mark.parametrize("form", [0, 1], ids=["pickle", "npy"])
@pytest.mark.parametrize("sealed", [True, False])
def test_a_pickle_in_a_checkpoint_is_never_run(stopped, tmp_path, name, form, sealed):
    """Also where somebody has made the manifest fit it."""
    trace = tmp_path / "was-run"
    for place in (stopped / "checkpoints").iterdir():
        (place / name).write_bytes(malicious_forms(trace)[form])
        if sealed:
            reseal(place)
    with pytest.raises(RunError):
        train(request_of("ddqn"), stopped, resume=True)
    if name == "agent.safetensors":
        with pytest.raises(RunError):
            load_agent(stopped)
    assert not trace.exists()


def test_the_malicious_forms_are_malicious(tmp_path):
    plain, array = malicious_forms(tmp_path / "was-run")
    pickle.loads(plain)
    assert (tmp_path / "was-run").is_dir()
    (tmp_path / "was-run").rmdir()
    np.load(io.BytesIO(array), allow_pickle=True)
    assert (tmp_path / "was-run").is_dir()


@pytest.mark.parametrize("name", [*NAMES, "ddqn-dt"])
def test_the_agent_of_a_training_is_the_one_that_was_trained(name, tmp_path):
    train(request_of(name), tmp_path / "run")
    agent = load_agent(tmp_path / "run")
    kept = Checkpoints(tmp_path / "run" / "checkpoints", 20).newest().arrays("agent")
    arrays = agent.to_arrays()
    assert all(np.array_equal(arrays[key], kept[key]) for key in kept)
    assert set(arrays) == set(kept)
