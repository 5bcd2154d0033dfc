"""What studies conclude from what runs left; the runs are written by hand, so that the answers are known."""

import json

import numpy as np
import pytest

from netsim.errors import InputError, RunError
from netsim.files import write_atomic
from netsim.studies import jobs, published
from netsim.studies.engine import Progress, StudyFolder
from netsim.studies.measures import Curve, binned, curve_of, last_share, until
from netsim.studies.outcome import conclude, keep
from netsim.studies.plan import OUT
from netsim.studies.results import Results, paired_values
from tests.studies.small import ROOT, planned

STUDY = """
name: known
description: A study whose answers are known.
parameters: {seeds: 8, goal: 0.75}
runs:
  - group: plain
    command: train tiny --seed {seed}
  - group: twin
    command: train tiny --agent ddqn-dt --seed {seed}
  - group: student
    command: distill folder:twin --hidden 4,4
measures:
  reward: {curve: reward, bin: 20}
  last: {curve: reward, bin: 20, last: 0.5}
  first: {curve: reward, bin: 20, reach: "{goal}"}
  share: {curve: reward, bin: 20, reach: 1.5, of: plain}
  greedy: {value: greedy.utility.mean}
  kept: {value: simulator.utility_kept.mean, file: card.json}
figures:
  - figure: rewards
    groups: [plain, twin]
    measure: reward
    ledger: true
  - figure: students
    groups: [student]
    measure: kept
claims:
  - {claim: twin is better, measure: last, higher: twin, lower: plain}
  - {claim: plain is better, measure: last, higher: plain, lower: twin}
  - {claim: twin is better by far, measure: last, higher: twin, lower: plain, margin: 0.25}
  - {claim: plain takes longer, measure: first, higher: plain, lower: twin}
  - {claim: plain is competitive, measure: last, higher: plain, lower: twin, margin: -0.5}
  - {claim: students keep most, measure: kept, higher: student, lower: 0.9}
  - {claim: both, measure: last, higher: [twin, plain], lower: [plain, twin]}
  - {claim: twice, measure: last, higher: [twin, twin], lower: [plain, plain]}
"""
GAINS = np.array([0.1, 0.3, 0.2, 0.4, 0.25, 0.15, 0.35, 0.25])
"""By seed, what a twin adds to the reward; the mean is 0.25."""


def reward(group, seed, interactions):
    """Plain: 0.5 from 20 interactions on, a twin the gain more; both share what the seed gives."""
    shared = 0.01 * seed
    return (0.0 if interactions <= 20 else 0.5 + (GAINS[seed] if group == "twin" else 0.0)) + shared


def written(tmp_path, text=STUDY, groups=("plain", "twin", "student")):
    study = planned(text)
    folder = StudyFolder(tmp_path / "out", study)
    progress = Progress(len(study.jobs))
    for job in study.jobs:
        if job.group in groups:
            write_job(folder.folder_of(job), job)
            progress.done.append(job)
    return study, folder, progress


def write_job(folder, job):
    (folder / OUT).mkdir(parents=True)
    if job.group == "student":
        card = {"simulator": {"utility_kept": {"mean": 0.95}}}
        write_atomic(folder / OUT / "card.json", json.dumps(card))
        return
    lines = [{"interactions": n, "reward": reward(job.group, job.seed, n)} for n in range(10, 101, 10)]
    lines.insert(3, {"interactions": 30, "greedy": {"utility": {"mean": 3.0}}})
    write_atomic(folder / OUT / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    ledger = {"real_interactions": 100, "imagined_transitions": 70 if job.group == "twin" else 0, "gradient_steps": 9}
    summary = {"greedy": {"utility": {"mean": 3.0 + 0.1 * job.seed}}, "ledger": ledger}
    write_atomic(folder / OUT / "summary.json", json.dumps(summary))
    jobs.keep_time(folder, 2.0 if job.group == "twin" else 1.0, {"commit": "abc", "processor": "a loom"})


@pytest.fixture
def found(tmp_path):
    return conclude(*written(tmp_path), ["netsim", "study", "known"])


def claim_of(found, name):
    return next(each for each in found["claims"] if each["claim"] == name)


# -- claims ------------------------------------------------------------------------------------------------------------


def test_claims_have_the_verdicts_that_were_put_into_the_runs(found):
    assert {each["claim"]: each["verdict"] for each in found["claims"]} == {
        "twin is better": "holds",
        "plain is better": "fails",
        "twin is better by far": "undecided",
        "plain takes longer": "undecided",
        "plain is competitive": "holds",
        "students keep most": "holds",
        "both": "undecided",
        "twice": "holds",
    }


def test_an_effect_is_that_of_pairs_so_what_a_seed_gives_to_both_goes_out(found):
    """With the subset means of eight gains: 6 of 256 are left out at either end."""
    claim = claim_of(found, "twin is better")
    assert claim["effect"] == pytest.approx(0.25)
    assert claim["pairs"] == 8
    assert claim["p"] == pytest.approx(2 / 256)
    subsets = np.sort([GAINS[[k >> n & 1 == 1 for n in range(8)]].mean() for k in range(1, 256)])
    assert claim["ci95"] == pytest.approx([subsets[5], subsets[-6]], rel=1e-6)
    assert claim_of(found, "plain is better")["ci95"] == pytest.approx([-subsets[-6], -subsets[5]], rel=1e-6)
    assert claim["p_holm"] > claim["p"]
    assert 0.9 < claim["probability_of_improvement"]["mean"] <= 1
    assert claim["pairs_needed"] <= 8


def test_several_groups_of_one_seed_are_one_pair(found):
    """They met the same packets, so the same runs named twice prove no more than once."""
    once, twice = claim_of(found, "twin is better"), claim_of(found, "twice")
    assert {**twice, "claim": 0, "higher": 0, "lower": 0, "probability_of_improvement": 0, "p_holm": 0} == {
        **once, "claim": 0, "higher": 0, "lower": 0, "probability_of_improvement": 0, "p_holm": 0,
    }  # fmt: skip
    assert claim_of(found, "both")["pairs"] == 8


def test_a_group_without_runs_is_compared_with_nothing():
    """Nor is one run without a seed, such as best-static's, with a group that has none yet."""
    for sides in (({}, {None: 3.0}), ({None: 3.0}, {}), ({}, {0: 1.0}), ({}, 3.0)):
        higher, lower = sides
        (pairs,) = paired_values([higher], lower if isinstance(lower, float) else [lower])
        assert pairs.seeds == ()
        assert len(pairs.one) == len(pairs.other) == 0
    (pairs,) = paired_values([{2: 5.0, 1: 4.0}], [{None: 3.0}])
    assert (pairs.seeds, pairs.one.tolist(), pairs.other.tolist()) == ((1, 2), [4.0, 5.0], [3.0, 3.0])


def test_two_measures_of_one_curve_over_different_things_are_two_curves(tmp_path):
    more = "measures:\n  by_step: {curve: reward, x: steps}"
    study, folder, progress = written(tmp_path, STUDY.replace("measures:", more, 1))
    path = folder.folder_of(study.jobs[0]) / OUT / "metrics.jsonl"
    path.write_text('{"interactions": 20, "steps": 5, "reward": 1.0}\n')
    results = Results(study, folder, frozenset(job.name for job in progress.done))
    x = [results.curve(study.measures[name], study.jobs[0]).x.tolist() for name in ("reward", "by_step", "reward")]
    assert x == [[20.0], [5.0], [20.0]]


def test_a_run_that_never_reached_the_level_counts_with_its_budget(found):
    """Twins with a gain of 0.25 and more, or a seed that makes up for it, reach 0.75 at 40; the others not in 100."""
    reached = [bool(reward("twin", seed, 50) >= 0.75) for seed in range(8)]
    times = found["measures"]["first"]
    assert times["twin"]["reached"] == sum(reached)
    assert times["twin"]["values"] == [40.0 if there else 100.0 for there in reached]
    assert times["twin"]["restricted_mean"] == pytest.approx(np.mean(times["twin"]["values"]))
    assert (times["plain"]["reached"], times["plain"]["restricted_mean"], times["plain"]["median"]) == (0, 100, None)
    claim = claim_of(found, "plain takes longer")
    assert claim["effect"] == pytest.approx(100 - times["twin"]["restricted_mean"])


def test_a_level_can_be_a_share_of_what_another_group_got(tmp_path):
    """Plain has 0.4 on the mean of its budget, 0.435 with what seeds give: 1.5 of that."""
    study, folder, progress = written(tmp_path, STUDY.replace("measure: first, higher", "measure: share, higher"))
    level = conclude(study, folder, progress)["measures"]["share"]["twin"]["level"]
    assert level == pytest.approx(1.5 * (0.8 * 0.5 + 0.01 * 3.5))


def test_a_study_that_is_not_finished_compares_the_seeds_that_both_have(tmp_path):
    study, folder, progress = written(tmp_path)
    progress.done = [job for job in progress.done if (job.group, job.seed) not in {("twin", 0), ("plain", 7)}]
    claim = claim_of(conclude(study, folder, progress), "twin is better")
    assert claim["pairs"] == 6
    assert claim["effect"] == pytest.approx(GAINS[1:7].mean())
    nothing = conclude(study, folder, Progress(len(study.jobs)))
    assert {each["verdict"] for each in nothing["claims"]} == {"undecided"}
    json.dumps(nothing, allow_nan=False)


def test_studies_of_a_against_a_that_are_evaluated_as_a_whole_find_something_in_5_percent_of_cases(tmp_path):
    """Both groups are the same agent with other random numbers; to the verdict. By theory 2 x 6 / 256."""
    from scipy import stats

    from netsim.studies.claims import judged
    from netsim.studies.results import Results

    text = STUDY[: STUDY.index("figures:")] + "claims:\n  - {claim: c, measure: last, higher: twin, lower: plain}\n"
    study, folder, progress = written(tmp_path, text)
    studies, noticed = 150, 0
    for repetition in range(studies):
        results = Results(study, folder, frozenset(job.name for job in progress.done))
        rng = np.random.Generator(np.random.Philox(repetition))
        shared = rng.exponential(size=8)
        drawn = {group: shared + rng.lognormal(size=8) for group in ("plain", "twin")}
        results.numbers = lambda measure, group, drawn=drawn: dict(enumerate(drawn[group]))
        [claim] = judged(results, study.claims)
        noticed += claim["verdict"] != "undecided"
    low, high = stats.binom.interval(0.999, studies, 12 / 256)
    assert low <= noticed <= high


# -- measures ----------------------------------------------------------------------------------------------------------


def test_bins_weigh_what_values_stand_for():
    """A value at 10 and one at 40 stand for 10 and 30 interactions."""
    curve = Curve(np.array([10.0, 40.0, 50.0]), np.array([4.0, 8.0, 1.0]))
    assert [each.tolist() for each in binned(curve, 40)] == [[40.0, 50.0], [(10 * 4 + 30 * 8) / 40, 1.0]]
    assert last_share(curve, 0.8) == (30 * 8 + 10 * 1) / 40
    assert until(curve, 8.0) == (40.0, True)
    assert until(curve, 9.0) == (50.0, False)


def test_the_curves_of_a_run_are_its_periods_and_its_reward_is_eq_6(tmp_path):
    import netsim
    from netsim.studies.form import Measure

    [job] = [job for job in planned(STUDY).jobs if job.name == "plain.0"]
    rewards, utilities = [], []

    class Noting:
        @netsim.hookimpl
        def period_ended(self, report):
            if report.period:
                utilities.append(report.utility)

    summary = netsim.run("tiny", "random", periods=9, seed=4, plugins=[Noting()], out=tmp_path / OUT)
    for step, utility in enumerate(utilities, 1):
        g = min(3.038 + step * (3.134 - 3.038) / 6, 3.134)
        rewards.append(0.0 if utility < g else max(1.0, 1 + (utility - 3.134) / 2))
    found = curve_of(Measure(curve="reward"), job, tmp_path)
    assert found.x.tolist() == list(range(1, 10))
    assert found.y.tolist() == pytest.approx(rewards)
    assert found.y.mean() == pytest.approx(summary["reward"]["mean"])
    assert curve_of(Measure(curve="utility"), job, tmp_path).y.tolist() == utilities


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("greedy.utility.mean", "greedy.utilities.mean", "at 'utilities' there is utility"),
        ("greedy.utility.mean", "greedy.utility", "greedy.utility must be a number"),
        ("file: card.json", "file: cart.json", "cart.json cannot be read"),
        ("{curve: reward, bin: 20, last", "{curve: regret, bin: 20, last", "no line with 'interactions' and 'regret'"),
        ("simulator.utility_kept.mean", "'{width}.mean'", "needs 'width', which runs of the group 'student'"),
    ],
)  # fmt: skip
def test_a_measure_that_is_not_there_is_told_with_the_file_and_what_is(old, new, message, tmp_path):
    text = STUDY.replace(
        "measure: last, higher: twin, lower: plain}", "measure: greedy, higher: twin, lower: plain}", 1
    )
    with pytest.raises(RunError, match=message.replace("(", r"\(")):
        conclude(*written(tmp_path, text.replace(old, new)))


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_the_ledger_stands_beside_the_curves(found):
    twin = found["groups"]["twin"]
    assert twin["ledger"] == {"real_interactions": 100, "imagined_transitions": 70, "gradient_steps": 9}
    assert twin["seconds"] == 2.0
    assert twin["command"] == "netsim train tiny --agent ddqn-dt --seed 0"
    [panel] = found["figures"][0]["panels"]
    assert panel["groups"]["twin"]["x"] == [20, 40, 60, 80, 100]
    means = np.sort([[reward("twin", seed, n) for n in (20, 40, 60, 80, 100)] for seed in range(8)], axis=0)[2:6]
    assert panel["groups"]["twin"]["iqm"] == pytest.approx(means.mean(axis=0), rel=1e-6)


def test_it_says_what_made_it_and_on_what(found):
    assert found["made"]["command"] == "netsim study known"
    assert found["made"]["machine"]["cores"] >= 1
    assert "numpy" in found["made"]["machine"]["versions"]


def test_figures_are_the_same_bytes_for_the_same_numbers_and_print_without_a_date(found, tmp_path):
    for folder in ("first", "second"):
        keep(found, tmp_path / folder)
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == [
        "rewards.png", "rewards.svg", "students.png", "students.svg", "study.json",
    ]  # fmt: skip
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
    drawn = (tmp_path / "first" / "rewards.svg").read_text()
    assert "dc:date" not in drawn
    assert all(text in drawn for text in ("twin (8)", "imagined transitions", "real interactions"))


def test_the_results_of_the_readme_are_those_that_are_kept(found, tmp_path):
    readme = f"# Title\n{published.BEGIN}\nold\n{published.END}\nmore\n"
    assert published.with_section(readme, tmp_path) == readme.replace("old", published.NONE)
    keep(found, tmp_path / "known", png=False)
    told = published.with_section(readme, tmp_path)
    assert "| twin is better | 0.2500 | 0.1" in told
    assert ", of commits abc (16) and unknown (8), concluded at " in told
    assert "[rewards](results/known/rewards.svg)" in told
    assert "`netsim study known --out studies/known`" in told
    assert published.with_section(told, tmp_path) == told
    with pytest.raises(InputError, match="needs a line"):
        published.with_section("# Title", tmp_path)


def test_the_readme_is_up_to_date():
    """`python -m netsim.studies.published README.md results` makes it so."""
    text = (ROOT / "README.md").read_text()
    assert published.with_section(text, ROOT / "results") == text
