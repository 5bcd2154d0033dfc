"""Study files: what is wrong with one is told by its place, and what is right becomes a plan."""

from pathlib import Path

import pytest

from netsim.errors import InputError, NetsimError, ScenarioError
from netsim.library import study_names
from netsim.studies.commands import check, with_folder, words_of
from netsim.studies.loading import parse_study, read_study
from netsim.studies.plan import plan
from tests.studies.small import RUNS, planned

AXES = """
name: axes
parameters: {agents: [dqn, ddqn], seeds: 2, first_seed: 5, interactions: 100, scenario: tiny}
smoke: {agents: [ddqn], interactions: 10}
runs:
  - group: "{agent}{twin}"
    for: {agent: "{agents}", twin: ["", "-dt"]}
    command: train {scenario} --agent {agent}{twin} --seed {seed} --set "slices.URLLC.users=1 2"
    seconds: 1
    seconds_per: {interactions: 0.5}
  - group: flat
    command: landscape folders:dqn folders:dqn-dt
  - group: "{agent}-student"
    for: {agent: "{agents}"}
    command: distill folder:{agent} --hidden 4,4
  - group: played
    command: evaluate agent:folder:ddqn
measures:
  reward: {curve: reward}
  last: {curve: reward, last: 0.5}
  card: {value: simulator.utility.student.mean, file: card.json}
figures:
  - figure: f
    for: {agent: "{agents}"}
    panel: "{agent}"
    groups: ["{agent}", "{agent}-dt"]
    measure: reward
claims:
  - claim: "{agent} gains"
    for: {agent: "{agents}"}
    measure: last
    higher: "{agent}-dt"
    lower: "{agent}"
  - claim: both gain
    measure: last
    higher: [dqn-dt, ddqn-dt]
    lower: [dqn, ddqn]
"""


def test_a_grid_becomes_jobs_in_the_order_of_the_file():
    made = planned(AXES)
    assert [job.name for job in made.jobs] == [
        "dqn.5", "dqn.6", "dqn-dt.5", "dqn-dt.6", "ddqn.5", "ddqn.6", "ddqn-dt.5", "ddqn-dt.6",
        "flat", "dqn-student.5", "dqn-student.6", "ddqn-student.5", "ddqn-student.6", "played.5", "played.6",
    ]  # fmt: skip
    by_name = {job.name: job for job in made.jobs}
    assert words_of(by_name["ddqn-dt.6"].command) == (
        "train tiny --agent ddqn-dt --seed 6 --set 'slices.URLLC.users=1 2'"
    )
    assert by_name["ddqn-dt.6"].seconds == 51.0
    assert by_name["flat"].command == ("landscape", "dqn.5/out", "dqn.6/out", "dqn-dt.5/out", "dqn-dt.6/out")
    assert by_name["flat"].needs == ("dqn.5", "dqn.6", "dqn-dt.5", "dqn-dt.6")
    assert by_name["flat"].seed is None
    assert by_name["dqn-student.6"].command == ("distill", "dqn.6/out", "--hidden", "4,4")
    assert by_name["played.5"].command == ("evaluate", "agent:ddqn.5/out")
    assert by_name["played.5"].needs == ("ddqn.5",)


def test_words_that_go_with_a_value_of_an_axis_follow_the_command():
    text = AXES.replace(
        "    seconds: 1\n", "    with: {twin: {-dt: \"--loop 'a=b {seed}' --hyper c={agent}\"}}\n    seconds: 1\n"
    )
    by_name = {job.name: words_of(job.command) for job in planned(text).jobs}
    assert by_name["dqn-dt.6"].endswith("'slices.URLLC.users=1 2' --loop 'a=b 6' --hyper c=dqn")
    assert by_name["dqn.6"].endswith("'slices.URLLC.users=1 2'")


def test_figures_and_claims_have_a_panel_and_a_verdict_for_each_combination():
    made = planned(AXES)
    [figure] = made.figures
    assert figure.panels == (("dqn", ("dqn", "dqn-dt")), ("ddqn", ("ddqn", "ddqn-dt")))
    assert [claim.name for claim in made.claims] == ["dqn gains", "ddqn gains", "both gain"]
    assert made.claims[2].lower == ("dqn", "ddqn")


def test_a_quick_try_and_overrides_change_parameters():
    quick = AXES.replace("folders:dqn folders:dqn-dt", "folders:ddqn").replace(BOTH, "")
    made = plan(parse_study(quick, smoke=True))
    assert {job.group for job in made.jobs} == {"ddqn", "ddqn-dt", "flat", "ddqn-student", "played"}
    more = parse_study(AXES, overrides=["parameters.seeds=3", "parameters.agents=[dqn, ddqn, gan-ddqn]"])
    assert len(plan(more).jobs) == 3 * 6 + 1 + 3 * 3 + 3


BOTH = AXES[AXES.index("  - claim: both gain") :]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("parameters:", "parametres:", "axes.yaml:3:1: parametres: is not a known key, did you mean 'parameters'?"),
        ("{agent}{twin} --seed", "{agnt}{twin} --seed",
         "axes.yaml:6:5: runs.0: must have placeholders of parameters and axes (agents, seeds, first_seed, "
         "interactions, scenario, agent, twin, seed), got 'agnt', did you mean 'agent'?"),
        ("folders:dqn-dt", "folders:ddqn-tt",
         "axes.yaml:11:5: runs.1: must name groups of runs above it (dqn, dqn-dt, ddqn, ddqn-dt), got 'ddqn-tt', "
         "did you mean 'ddqn-dt'?"),
        ("seeds: 2", "seeds: 0", "axes.yaml:3:42: parameters.seeds: must be a whole number from 1, got '0'"),
        ("seeds: 2", "seeds: {}", "parameters.seeds: must be a number, text, true, false, or a list of them"),
        ("{curve: reward}", "{curve: reward, value: x}",
         "measures.reward.value: must be given, or curve, but not both, got 'x'"),
        ("last: 0.5}", "last: 1.5}", "measures.last.last: must be at most 1, got 1.5"),
        ("last: 0.5}", "reach: 0.5, of: nobody}", "measures.last: must name groups of runs above it"),
        ("last: 0.5}", "reach: high}", "measures.last: must have as reach a number, got 'high'"),
        ("measure: last\n    higher: \"{agent}-dt\"", "measure: reward\n    higher: \"{agent}-dt\"",
         "claims.0: must compare numbers: a curve needs last or reach, got 'reward'"),
        ("measure: reward\n", "measure: rewards\n",
         "figures.0: must have a measure of the study (reward, last, card), got 'rewards', did you mean 'reward'?"),
        ("lower: [dqn, ddqn]", "lower: [dqn]",
         "claims.1: must have as many groups on either side, got 2 and 1"),
        ("claim: \"{agent} gains\"", "claim: gains", "claims: must have names of their own, got 'gains'"),
        ("group: flat", "group: dqn", "runs.1: must be a group's name that no other runs have, got 'dqn'"),
        ("    seconds: 1\n", "    with: {agnt: {dqn: --quiet}}\n    seconds: 1\n",
         "runs.0: must have under `with` an axis of the runs (agent, twin), got 'agnt'"),
        ("group: flat", "group: a/b", "runs.1: must be a group's name: letters, digits"),
        ("hidden 4,4", "hidden '4,4", "runs.2: must be a command line (No closing quotation)"),
        ("for: {agent: \"{agents}\", twin", "for: {agent: \"{agent}\", twin",
         "runs.0: must have placeholders of parameters and axes"),
        ("smoke: {agents", "smoke: {agent", "smoke.agent: must be one of the parameters, did you mean 'agents'?"),
        ("name: axes", "name: ../axes", "name: must be at most 64 letters, digits"),
    ],
)  # fmt: skip
def test_a_fault_names_the_place_the_rule_and_the_value(old, new, message):
    assert AXES.count(old) >= 1
    with pytest.raises(ScenarioError) as refused:
        plan(parse_study(AXES.replace(old, new, 1), "axes.yaml"))
    assert any(message in line for line in str(refused.value).splitlines()), str(refused.value)


def test_no_two_runs_have_one_name():
    """A group w has runs w.0 and w.1; a group w.1 whose command has no seed has a run w.1."""
    text = RUNS.replace("measures:", "  - group: equal.1\n    command: evaluate equal --scenario tiny\nmeasures:")
    with pytest.raises(ScenarioError, match=r"small.yaml:\d+:\d+: runs.1: must have groups whose runs.*'equal.1'"):
        planned(text)


def test_all_faults_of_a_file_are_told_at_once():
    text = AXES.replace("name: axes", "name: ''").replace("runs:", "run:").replace("last: 0.5}", "last: 0}")
    with pytest.raises(ScenarioError) as refused:
        parse_study(text)
    assert len(str(refused.value).splitlines()) >= 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("run tiny", "rum tiny", "equal: there is no command 'rum', did you mean 'run'?"),
        ("run tiny", "study tiny", "equal: there is no command 'study'"),
        ("run tiny", "run tinny", "equal: scenario: must be the path of a file or one of"),
        ("--periods {periods}", "--period {periods}", "No such option"),
        ("--periods {periods}", "--periods many", "'many' is not a valid integer range"),
        ("run tiny", "run tiny --set carrier.prb=-1", "carrier.prb: must be at least 1"),
        ("run tiny", "run --help", "with these options runs nothing"),
    ],
)
def test_what_a_command_would_refuse_is_refused_before_anything_runs(old, new, message):
    with pytest.raises(InputError) as refused:
        check(planned(RUNS.replace(old, new)), Path())
    assert message in str(refused.value)


def test_controllers_in_files_beside_the_user_are_found_wherever_jobs_run(tmp_path):
    (tmp_path / "own.py").write_text("")
    text = RUNS.replace("--controller {controller}", "--controller own.py:Mine --plugin gone.py:Mine")
    [job, *_] = check(planned(text), tmp_path).jobs
    assert job.command[3:6] == (f"{tmp_path / 'own.py'}:Mine", "--plugin", "gone.py:Mine")


def test_commands_are_told_where_to_write_and_to_go_on_with_what_they_began(tmp_path):
    (tmp_path / "own.yaml").write_text(Path("scenarios/tiny.yaml").read_text())
    [job, *_] = check(planned(RUNS.replace("run tiny", "run own.yaml")), tmp_path).jobs
    assert job.command[1] == str(tmp_path / "own.yaml")
    assert with_folder(job)[-4:] == ["--out", "equal.0/out", "--resume", "--quiet"]
    played = planned(
        RUNS.replace("run tiny", "evaluate equal --scenario tiny").replace("--controller {controller}", "")
    )
    assert with_folder(played.jobs[0])[-2:] == ["--json", "--quiet"]


@pytest.mark.parametrize("name", study_names())
@pytest.mark.parametrize("smoke", [False, True])
def test_shipped_studies_are_plans_that_their_commands_accept(name, smoke):
    made = plan(read_study(name, smoke=smoke))
    assert made.name == name
    assert made.description
    try:
        check(made, Path())
    except NetsimError as error:
        missing = [line for line in str(error).splitlines()[1:] if "there is no command" not in line]
        assert missing == []
        pytest.skip("a command of it is not in this build")
