"""A published study can be gone on with without its runs: what it keeps of them says the same."""

import copy
import shutil
from pathlib import Path

import pytest

from netsim.errors import InputError
from netsim.studies import jobs, kept
from netsim.studies.engine import Progress, StudyFolder, carry_out, standing
from netsim.studies.outcome import conclude, publish
from netsim.studies.reuse import reuse
from tests.studies.small import planned
from tests.studies.test_carrying_out import Pretended
from tests.studies.test_outcomes import STUDY, written

ALL = [f"{group}.{seed}" for group in ("plain", "twin", "student") for seed in range(8)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    study, folder, progress = written(place)
    for job in study.jobs:
        jobs.seal(folder.folder_of(job), job.command)
    found = conclude(study, folder, progress, ["netsim", "study", "known"])
    publish(found, study, folder, progress, place / "published")
    return place / "published", found


@pytest.fixture
def published(tmp_path, made):
    """The folder of a published study, and what its runs say; to be spoilt at will."""
    there, found = made
    return Path(shutil.copytree(there, tmp_path / "published")), copy.deepcopy(found)


def gone_on(tmp_path, there, text=STUDY, name="new"):
    study = planned(text)
    folder = StudyFolder(tmp_path / name, study)
    folder.jobs.mkdir(parents=True)
    return study, folder, reuse(study, folder, [there])


def of_all(study, folder):
    return conclude(study, folder, Progress(len(study.jobs), list(study.jobs)), ["netsim", "study", "known"])


def test_the_records_of_runs_say_what_the_runs_do(tmp_path, published):
    """Numbers, curves, levels, shares of another group, ledgers, seconds and claims, to the last digit."""
    there, found = published
    study, folder, taken = gone_on(tmp_path, there)
    assert taken == ALL
    assert of_all(study, folder) == found
    assert found["made"]["commits"] == {"abc": 16, "unknown": 8}


def test_published_anew_the_records_are_the_same_bytes(tmp_path, published):
    there, _ = published
    study, folder, _ = gone_on(tmp_path, there)
    progress = Progress(len(study.jobs), list(study.jobs))
    publish(of_all(study, folder), study, folder, progress, tmp_path / "anew")
    assert (tmp_path / "anew" / kept.NAME).read_bytes() == (there / kept.NAME).read_bytes()


def test_with_more_seeds_the_new_ones_alone_are_run(tmp_path, published):
    study, folder, taken = gone_on(tmp_path, published[0], STUDY.replace("seeds: 8", "seeds: 9"))
    assert taken == ALL
    engine = Pretended(folder.jobs)
    carry_out(study, folder, engine)
    assert engine.begun == ["plain.8", "twin.8", "student.8"]


def test_a_record_that_does_not_say_what_is_asked_is_left(tmp_path, published):
    """In bins of another width; students, of which everything is known, need a run that is to be made."""
    there, _ = published
    assert gone_on(tmp_path, there, STUDY.replace("bin: 20}", "bin: 10}"))[2] == []
    other_level = STUDY.replace("goal: 0.75", "goal: 0.6").replace("last: 0.5", "last: 0.5, label: another")
    assert gone_on(tmp_path, there, other_level, "third")[2] == ALL


def test_a_record_serves_no_longer_once_more_is_asked_or_what_it_left_out_is_read(tmp_path, published):
    """Resumed with bins of another width, or with a group that reads folders: those runs are made, no others."""
    played = STUDY.replace("measures:\n", "  - group: played\n    command: evaluate folder:plain\nmeasures:\n", 1)
    for name, text, begun in (
        ("bins", STUDY.replace("reward, bin: 20}", "reward, bin: 10}", 1), ALL),
        ("groups", played, [*ALL[:8], *(f"played.{seed}" for seed in range(8))]),
    ):
        _, folder, taken = gone_on(tmp_path, published[0], name=name)
        assert taken == ALL
        study = planned(text)
        assert not {job.name for job in standing(study, folder).done} & set(begun)
        engine = Pretended(folder.jobs)
        carry_out(study, folder, engine)
        assert sorted(engine.begun) == sorted(begun)
        assert not any((folder.jobs / each / jobs.NUMBERS).exists() for each in begun)


def test_killed_between_two_records_the_second_is_taken_next_time(tmp_path, published):
    """A student's record goes with that of its teacher, which is there already."""
    study, folder, _ = gone_on(tmp_path, published[0])
    shutil.rmtree(folder.jobs / "student.5")
    assert reuse(study, folder, [published[0]]) == ["student.5"]
    assert len(standing(study, folder).done) == 24


def test_a_run_that_another_one_has_to_read_is_made_and_the_rest_taken(tmp_path, published):
    text = STUDY.replace("measures:\n", "  - group: played\n    command: evaluate folder:plain\nmeasures:\n", 1)
    study, folder, taken = gone_on(tmp_path, published[0], text)
    assert taken == ALL[8:]
    engine = Pretended(folder.jobs)
    carry_out(study, folder, engine)
    assert engine.begun == [*ALL[:8], *(f"played.{seed}" for seed in range(8))]


def test_records_of_other_versions_are_left(tmp_path, published, monkeypatch):
    monkeypatch.setattr(jobs, "versions", lambda *packages: {"slicetwin": "9.9"})
    assert gone_on(tmp_path, published[0])[2] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "netsim-study-runs"}', "null"])
def test_damaged_records_are_told(tmp_path, published, text):
    (published[0] / kept.NAME).write_text(text)
    with pytest.raises(InputError, match=r"holds no runs of a study.*publish the study again"):
        gone_on(tmp_path, published[0])


def test_a_record_that_lacks_a_part_is_told(tmp_path, published):
    path = published[0] / kept.NAME
    path.write_text(path.read_text().replace('"ledger"', '"other"', 1))
    with pytest.raises(InputError, match="holds no runs of a study: 'ledger'"):
        gone_on(tmp_path, published[0])


def test_records_of_another_format_are_told(tmp_path, published):
    path = published[0] / kept.NAME
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2', 1))
    with pytest.raises(InputError, match="is not of the format netsim-study-runs version 1"):
        gone_on(tmp_path, published[0])


def test_a_damaged_record_in_a_study_is_run_again(tmp_path, published):
    study, folder, _ = gone_on(tmp_path, published[0])
    place = folder.jobs / "plain.3"
    (place / jobs.NUMBERS).write_text("{}")
    engine = Pretended(folder.jobs)
    carry_out(study, folder, engine)
    assert engine.begun == ["plain.3"]
    assert not (place / jobs.NUMBERS).exists()
