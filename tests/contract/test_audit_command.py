"""`netsim run --audit`, wrong schedulers of every kind, and what the README says of them."""

import json
import re
import shlex
import sys

import pytest

import netsim as package
from netsim.errors import InputError
from netsim.testing import AuditError, check_scheduler
from netsim.testing.audit import Audit, audit
from tests.contract.test_cli import ROOT, done, files, netsim, refused

README = (ROOT / "README.md").read_text()
SECTION = README[README.index("## Testing what you plug in") : README.index("## How it works")]
IN_TURN = "slices.video.scheduler={kind: examples.in_turn:InTurn}"

SCHEDULERS = '''
import numba


class InTurn:
    def __init__(self):
        self.turn = 0

    def share(self, prb, slot, active, grants):
        for _ in range(prb):
            grants[self.turn % len(active)] += 1
            self.turn += 1


class OneTurnForAll:
    turn = 0

    def share(self, prb, slot, active, grants):
        for _ in range(prb):
            grants[OneTurnForAll.turn % len(active)] += 1
            OneTurnForAll.turn += 1


@numba.njit
def share_to_longest(prb, slot, active, grants):
    best = 0
    for i in range(len(active) + 1):  # one too many
        if active[i].backlog_bits > active[best].backlog_bits:
            best = i
    grants[min(best, len(active) - 1)] = prb


class ReadsBeyond:
    share = staticmethod(share_to_longest)


@numba.njit
def share_with_dustbin(prb, slot, active, grants):
    grants[0] = prb
    grants[len(active)] = 1  # a place that nobody has


class WritesBeyond:
    share = staticmethod(share_with_dustbin)


@numba.njit
def share_by_number(prb, slot, active, grants):
    for i in range(prb):
        grants[active[i % len(active)].user] += 1  # the user's number, for its place


class ByNumber:
    share = staticmethod(share_by_number)


class Short:
    def share(self, prb, slot, active, grants):
        grants[:] = prb // len(active)


class Fair:
    def share(self, prb, slot, active, grants):
        for k in range(prb):
            grants[(slot + k) % len(active)] += 1


class RewritesWhatItIsShown:
    """Its own notes in the records it was lent; nobody reads them after it."""

    share = staticmethod(numba.njit(lambda prb, slot, active, grants: _rewrite(prb, active, grants)))


@numba.njit
def _rewrite(prb, active, grants):
    for k in range(prb):
        best = 0
        for i in range(len(active)):
            if active[i].backlog_bits > active[best].backlog_bits:
                best = i
        active[best].backlog_bits -= 500
        grants[best] += 1
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(SCHEDULERS)
    return folder


def cell_with(folder, name):
    """Two busy slices under a scheduler of the file."""
    content = package.load_scenario("tiny").to_dict()
    traffic = {
        "kind": "poisson",
        "rate": "900 /s",
        "size": {"distribution": "uniform", "from": "100 bit", "to": "9 kB"},
    }
    content["slices"] = {
        slice_name: {**content["slices"][slice_name], "traffic": traffic, "scheduler": {"kind": f"mine.py:{name}"}}
        for slice_name in ("VoLTE", "video")
    }
    return package.Scenario.from_dict({**content, "carrier": {"prb": 10}}, folder)


def broken_by(folder, name, **options):
    with pytest.raises(AuditError) as caught:
        audit(cell_with(folder, name), seed=1, periods=3, **options)
    return caught.value


# -- wrong schedulers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "law"), [("InTurn", "20"), ("OneTurnForAll", "17"), ("ReadsBeyond", "17"), ("WritesBeyond", "4")]
)
def test_what_a_plain_run_takes_without_a_word_the_audit_names(folder, name, law):
    package.run(cell_with(folder, name), periods=3, seed=1)
    assert broken_by(folder, name).violation.law == law


@pytest.mark.parametrize(("name", "law"), [("ByNumber", "4"), ("Short", "3")])
def test_what_a_plain_run_refuses_comes_with_its_packets(folder, name, law):
    with pytest.raises(package.PluginError, match="grants must be whole numbers"):
        package.run(cell_with(folder, name), periods=3, seed=1)
    violation = broken_by(folder, name).violation
    assert violation.law == law
    assert violation.packets
    assert all(packet.left_bits == packet.size_bits for packet in violation.packets if not packet.services)


@pytest.mark.parametrize("name", ["Fair", "RewritesWhatItIsShown"])
def test_what_decides_from_what_it_is_shown_passes(folder, name):
    assert audit(cell_with(folder, name), seed=1, periods=3).slots == 160


def test_a_scheduler_that_remembers_does_break_resumption(folder, tmp_path):
    """The relation that the audit names is one that does not hold."""
    whole = package.Simulation(cell_with(folder, "InTurn"), 1)
    whole.reset()
    whole.save(tmp_path / "saved")
    resumed = package.Simulation.load(tmp_path / "saved")
    assert whole.step((5, 5)) != resumed.step((5, 5))


def test_slices_that_share_a_variable_do_feel_each_other(folder):
    def video_s_packets(voice_users):
        sys.modules.pop(next((name for name in sys.modules if name.startswith("netsim_file_mine")), ""), None)
        content = cell_with(folder, "OneTurnForAll").to_dict()
        content["slices"]["VoLTE"]["users"] = voice_users
        simulation = package.Simulation(package.Scenario.from_dict(content, folder), 1, log_packets=True)
        simulation.reset()
        packets = simulation.take_packets()
        return packets[packets["slice"] == 1].tolist()

    assert video_s_packets(3) != video_s_packets(0)


def test_the_smallest_case_of_a_wrong_scheduler_is_two_users_of_one_slice(folder):
    case = broken_by(folder, "InTurn").case
    told = package.Scenario.from_dict(cell_with(folder, "InTurn").to_dict(), folder)
    users = {name: part.users for name, part in told.slices.items()}
    for override in case.overrides:
        [name], [count] = re.findall(r"slices\.(\w+)\.users", override), re.findall(r"=(\d+)$", override)
        users[name] = int(count)
    assert sorted(users.values()) == [0, 2]
    assert case.periods == 1


# -- the command -------------------------------------------------------------------------------------------------------


def test_a_clean_run_says_how_much_was_audited_and_leaves_the_same_bytes(tmp_path):
    plain = done("run", "tiny", "--periods", 3, "--packets", "--out", tmp_path / "plain", "--json")
    audited = done("run", "tiny", "--periods", 3, "--packets", "--out", tmp_path / "audited", "--json", "--audit")
    assert files(tmp_path / "plain") == files(tmp_path / "audited")
    assert plain.stdout == audited.stdout
    assert re.fullmatch(
        r"netsim: audited 160 slots and \d+ packets: invariants 1 to 8 hold", audited.stderr.splitlines()[-1]
    )


def test_a_broken_law_ends_the_run_with_the_packets_and_the_command_that_shows_it_again():
    message = refused("run", "tiny", "--set", IN_TURN, "--periods", 2, "--audit", status=1)
    [command] = re.findall(r"^again: netsim (.*)$", message, re.MULTILINE)
    again = refused(*shlex.split(command), status=1)
    assert again.splitlines()[:-1] == message.splitlines()[:-1]


def test_with_json_the_violation_can_be_read_by_a_machine():
    process = netsim("run", "tiny", "--set", IN_TURN, "--periods", 2, "--audit", "--json")
    assert process.returncode == 1
    told = json.loads(process.stdout)
    assert told["violation"]["law"] == "20"
    assert told["violation"]["left"] != told["violation"]["right"]
    assert {packet["slice"] for packet in told["violation"]["packets"]} == {"video"}
    assert told["command"].startswith("netsim run tiny")
    assert told["case"]["periods"] == 1


def test_an_audit_needs_a_run_of_its_own(tmp_path):
    done("run", "tiny", "--periods", 1, "--out", tmp_path / "run")
    message = refused("run", "tiny", "--periods", 1, "--out", tmp_path / "run", "--resume", "--audit")
    assert "an audit needs a run of its own" in message
    scenario = package.load_scenario("tiny")
    with pytest.raises(InputError, match="plant"):
        package.run(scenario, plant=package.Simulation(scenario), audit=Audit())


def test_the_controller_of_a_smallest_case_is_one_of_the_command_line():
    allocations = []

    class Noting:
        @package.hookimpl
        def period_ended(self, report):
            allocations.append(report.allocation)

    package.run("tiny", "scripted:10,5,5/2,12,6", periods=4, plugins=[Noting()])
    assert allocations[1:] == [(10, 5, 5), (2, 12, 6), (2, 12, 6), (2, 12, 6)]
    with pytest.raises(InputError, match="whole numbers"):
        package.run("tiny", "scripted:10,5,5/", periods=1)


# -- check_scheduler ---------------------------------------------------------------------------------------------------


def test_check_scheduler_finds_nothing_in_a_right_one(folder):
    assert check_scheduler("mine.py:Fair", folder=folder, examples=15) == []
    assert check_scheduler("largest-queue", examples=5) == []


def test_check_scheduler_names_what_is_wrong_in_a_small_cell(folder):
    [fault] = check_scheduler("mine.py:WritesBeyond", folder=folder, examples=20)
    assert fault.startswith("invariant 4")
    assert "in a cell of users {'alpha': 1}" in fault


def test_check_scheduler_takes_a_class_and_its_options():
    class Raises:
        def __init__(self, text):
            self.text = text

        def share(self, prb, slot, active, grants):
            raise ValueError(self.text)

    [fault] = check_scheduler(Raises, options={"text": "too tired"})
    assert "too tired" in fault


# -- the README --------------------------------------------------------------------------------------------------------


def test_the_readme_s_scheduler_is_the_example_s():
    shown = re.findall(r"```python\n(class InTurn.*?)```", SECTION, re.DOTALL)
    assert (ROOT / "examples" / "in_turn.py").read_text().startswith(shown[0])
