"""A manifest is the one that was written, or is refused with what to do about it."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rl.records
import twin.datasets
from netsim import results, seals
from netsim.errors import InputError
from netsim.files import to_json
from netsim.seals import MANIFEST, Kind, all_written, intact, sealed, unsealed

KINDS = (results.KIND, rl.records.KIND, twin.datasets.KIND)
KIND = Kind("slicetwin-shelf", 3, "shelf", "shelf", "build another")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text().filter(lambda key: key != "sha256"), PLAIN, max_size=4))
def test_what_was_sealed_is_read_again_and_its_keys_in_order(content):
    again = unsealed(sealed(content).encode())
    assert again == content
    assert list(again) == list(content)


def test_the_seal_is_the_digest_of_the_text_without_it():
    content = {"format": "x", "files": {"a": 1}}
    seal = hashlib.sha256(to_json(content).encode()).hexdigest()
    assert sealed(content) == to_json({**content, "sha256": seal})


def test_every_flipped_bit_is_noticed(tmp_path):
    KIND.write(tmp_path, {"runs": [1, 2], "name": "Ä"})
    path = tmp_path / MANIFEST
    content = bytearray(path.read_bytes())
    for place in range(len(content)):
        content[place] ^= 4
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is damaged or no manifest of a shelf; build another$"):
            KIND.read(tmp_path)
        content[place] ^= 4


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"sha256": 1}', "{" * 100_000, "[" * 100_000, '"\\ud800"'])
def test_what_is_no_manifest_is_refused(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="is damaged or no manifest of a shelf"):
        KIND.read(tmp_path)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.format)
def test_a_folder_of_another_kind_or_version_is_refused_by_name(tmp_path, kind):
    KIND.write(tmp_path, {})
    with pytest.raises(InputError) as error:
        kind.read(tmp_path)
    told = f"{tmp_path / MANIFEST} is not of the format {kind.format} version {kind.version}, which this "
    assert str(error.value).startswith(told)
    with pytest.raises(InputError, match="is not of the format slicetwin-shelf version 2, which this version reads"):
        Kind("slicetwin-shelf", 2, "shelf", "shelf").read(tmp_path)


@pytest.mark.parametrize(
    ("kind", "absent", "damaged"),
    [
        (results.KIND, "is no run directory: it has no", "no manifest of a run; `--force` replaces the run"),
        (rl.records.KIND, "is no training: it has no", "no manifest of a training; `--force` replaces the training"),
        (twin.datasets.KIND, "is no data set: it has no", "no manifest of a data set"),
    ],
    ids=lambda kind: getattr(kind, "format", ""),
)
def test_each_kind_says_what_the_folder_is_not(tmp_path, kind, absent, damaged):
    with pytest.raises(InputError) as error:
        kind.read(tmp_path)
    assert str(error.value) == f"{tmp_path} {absent} {MANIFEST}"
    assert kind.read_if_there(tmp_path) is None
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(InputError) as error:
        kind.read(tmp_path)
    assert str(error.value) == f"{tmp_path / MANIFEST} is damaged or {damaged}"


def test_a_manifest_that_cannot_be_read_is_no_missing_one(tmp_path):
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(InputError, match=f"cannot read .*{MANIFEST}"):
        KIND.read_if_there(tmp_path)


def test_a_manifest_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    KIND.write(tmp_path, {"age": 1})
    before = (tmp_path / MANIFEST).read_bytes()
    monkeypatch.setattr(seals.Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        KIND.write(tmp_path, {"age": 2})
    assert (tmp_path / MANIFEST).read_bytes() == before


def test_a_file_is_intact_only_as_it_was_written(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    kept = json.loads(json.dumps(all_written([path])))["a.bin"]
    assert kept == {"sha256": hashlib.sha256(b"one").hexdigest(), "bytes": 3}
    assert intact(path, kept)
    for content in (b"two", b"", b"one\n"):
        path.write_bytes(content)
        assert not intact(path, kept)
    path.unlink()
    assert not intact(path, kept)
