"""A saved simulation goes on bit for bit, and a damaged or foreign file is refused with a reason."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netsim
from netsim import saving
from netsim.errors import RunError
from netsim.loading import dump_scenario

SPLIT = [2, 12, 6]


@pytest.fixture
def tiny() -> netsim.Scenario:
    return netsim.load_scenario("tiny")


@pytest.fixture
def saved(tiny, tmp_path) -> tuple[netsim.Simulation, Path]:
    simulation = netsim.Simulation(tiny, seed=3, log_packets=True)
    simulation.reset()
    for _ in range(5):
        simulation.step(SPLIT)
    simulation.save(tmp_path / "cell")
    return simulation, tmp_path / "cell"


def test_a_loaded_simulation_goes_on_as_the_saved_one(saved):
    simulation, path = saved
    loaded = netsim.Simulation.load(path)
    for units in ([1, 1, 18], [18, 1, 1], SPLIT):
        assert loaded.step(units) == simulation.step(units)
    assert np.array_equal(loaded.take_packets(), simulation.take_packets())
    assert np.array_equal(loaded.queued_packets(), simulation.queued_packets())


def test_the_same_state_is_the_same_bytes(saved, tmp_path):
    simulation, path = saved
    simulation.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_state_does_not_depend_on_where_its_scenario_lies(tmp_path):
    """As long as the scenario names no files, which would be looked for there."""
    text, states = dump_scenario(netsim.load_scenario("tiny")), []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "tiny.yaml").write_text(text)
        simulation = netsim.Simulation(netsim.load_scenario(tmp_path / place / "tiny.yaml"), seed=3)
        simulation.reset()
        simulation.save(tmp_path / place / "state")
        states.append((tmp_path / place / "state").read_bytes())
    assert states[0] == states[1]


def test_saving_replaces_an_older_file(saved):
    simulation, path = saved
    before = path.read_bytes()
    simulation.step(SPLIT)
    simulation.save(path)
    assert path.read_bytes() != before
    assert [each.name for each in path.parent.iterdir()] == ["cell"]


def test_every_flipped_byte_is_noticed(saved, tmp_path):
    # Bytes of the zip's own bookkeeping (names, times, offsets) may be flipped without harm to what is read; then the
    # file must load to the very state that was saved.
    _, path = saved
    content = path.read_bytes()
    rng = np.random.Generator(np.random.Philox(1))
    expected = netsim.Simulation.load(path).step(SPLIT)
    reasons = []
    for place in rng.integers(0, len(content), 150).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            loaded = netsim.Simulation.load(tmp_path / "damaged")
        except RunError as error:
            reasons.append(str(error))
        else:
            assert loaded.step(SPLIT) == expected
    assert all("damaged" in reason for reason in reasons)
    assert len(reasons) > 100


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved, part):
    _, path = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(RunError, match="damaged"):
        netsim.Simulation.load(path)


def test_a_header_that_was_edited_is_refused(saved, tmp_path):
    _, path = saved
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "edited", "w") as edited:
        for name in archive.namelist():
            content = archive.read(name)
            edited.writestr(name, content.replace(b'"seed": 3', b'"seed": 4') if name == "header.json" else content)
    with pytest.raises(RunError, match="header does not match its checksum"):
        netsim.Simulation.load(tmp_path / "edited")


def test_another_scenario_is_refused(saved):
    _, path = saved
    other = netsim.load_scenario("tiny", ["slices.video.users=4"])
    with pytest.raises(RunError, match="holds scenario 'tiny', which differs"):
        netsim.Simulation.load(path, scenario=other)


def test_what_another_scenario_differs_in_is_named_key_by_key(saved):
    _, path = saved
    other = netsim.load_scenario("tiny", ["slices.video.users=4"])
    with pytest.raises(RunError) as caught:
        netsim.Simulation.load(path, scenario=other)
    assert "slices.video.users: 3 there, 4 asked for" in str(caught.value).splitlines()


def test_another_seed_is_refused(saved):
    _, path = saved
    assert netsim.Simulation.load(path, seed=3).seed == 3
    with pytest.raises(RunError, match="seed: 3 there, 4 asked for"):
        netsim.Simulation.load(path, seed=4)


def test_a_state_of_another_version_is_refused(saved, monkeypatch):
    _, path = saved
    monkeypatch.setattr(saving, "__version__", "0.2.0")
    with pytest.raises(RunError, match=r'version: "0\.1\.0" there, "0\.2\.0" asked for'):
        netsim.Simulation.load(path)


def test_what_is_no_file_and_what_has_not_begun_are_refused(tiny, tmp_path):
    with pytest.raises(RunError, match="cannot be read"):
        netsim.Simulation.load(tmp_path / "nothing")
    with pytest.raises(RunError, match="before reset"):
        netsim.Simulation(tiny).save(tmp_path / "cell")


WITHIN = r"must be at the end of a period to be saved, it stands in slot \d+ within period \d+; save it after"


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_stands_within_a_period_is_not_saved(tiny, tmp_path_factory, share):
    path = tmp_path_factory.mktemp("within") / "cell"

    def save(simulation):
        def process():
            yield simulation.env.timeout((1 + share) * tiny.control.period_ns)
            simulation.save(path)

        return [process()]

    simulation = netsim.Simulation(tiny, processes=[save])
    simulation.reset()
    with pytest.raises(RunError, match=WITHIN):
        simulation.step(SPLIT)
    with pytest.raises(RunError, match=WITHIN):  # nor after the step that raised, which left it there
        simulation.save(path)
    assert not path.exists()


def test_an_environment_that_somebody_else_has_run_is_not_saved(saved, tmp_path):
    simulation, _ = saved
    simulation.env.run(until=simulation.env.now + 3 * simulation.scenario.control.slot_ns)
    with pytest.raises(RunError, match=WITHIN):
        simulation.save(tmp_path / "within")


def test_a_loaded_simulation_can_be_saved_at_once(saved, tmp_path):
    simulation, path = saved
    netsim.Simulation.load(path).save(tmp_path / "again")
    assert netsim.Simulation.load(tmp_path / "again").step(SPLIT) == simulation.step(SPLIT)


def test_a_folder_that_is_not_there_is_refused(saved, tmp_path):
    simulation, _ = saved
    with pytest.raises(RunError, match="cannot be written"):
        simulation.save(tmp_path / "no" / "cell")
