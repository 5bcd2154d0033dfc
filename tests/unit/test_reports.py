"""Reports say what the files of a folder say, and no more: figures, unfinished folders, foreign names, starvation."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

import netsim
from netsim.cli import netsim as command
from netsim.console import print_summary
from netsim.errors import InputError
from netsim.reports import NAME, page
from netsim.reports.latency import bounds, distributions
from netsim.reports.run_data import RunData
from netsim.reports.run_page import run_page
from netsim.reports.starvation import FEWEST_PACKETS, FULL, Scale, paying
from netsim.reports.thinning import MOST_BINS, MOST_PERIODS, Bins
from netsim.reports.worst_slice import starved
from rl.records import clear
from tests.unit.reported import SLICES, Seen, a_run, a_study, a_training, evaluated, interactions, rewrite, seen

BAD = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return a_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def shown(run):
    return seen(run)


def copied(run, place):
    return shutil.copytree(run, place / "copy")


def periods(run, column):
    """A column of the controlled periods, shape ``(T, N)``."""
    return pq.read_table(run / "periods.parquet")[column].to_numpy().reshape(-1, len(SLICES))[1:]


# -- figures and the numbers behind them -------------------------------------------------------------------------------


def test_the_numbers_behind_the_figures_of_a_run_are_those_of_its_periods(run, shown):
    resolved = sum(periods(run, name) for name in ("satisfied", "slow", "late", "dropped"))
    for n, name in enumerate(SLICES):
        assert shown.curve("allocation.csv", name) == periods(run, "allocation")[:, n].tolist()
        assert shown.curve("queue.csv", name) == periods(run, "backlog_packets")[:, n].tolist()
        with np.errstate(invalid="ignore"):  # where nothing was resolved the curve has a gap
            ssr = periods(run, "satisfied")[:, n] / resolved[:, n]
        assert shown.curve("ssr.csv", name) == pytest.approx(ssr, rel=1e-6, nan_ok=True)
    assert shown.curve("utility.csv", "U") == pytest.approx(periods(run, "utility")[:, 0], rel=1e-6)
    assert shown.curve("efficiency.csv", "carried") == pytest.approx(periods(run, "se_carried")[:, 0], rel=1e-6)


def test_every_figure_has_a_text_and_numbers(shown):
    figures = [each for tag, each in shown.elements if tag == "figure"]
    drawings = [each for tag, each in shown.elements if tag == "svg"]
    assert len(figures) == len(drawings) == 5 + len(SLICES)
    assert all(each["role"] == "img" and len(each["aria-labelledby"].split()) == 2 for each in drawings)
    assert sum("download" in each for _, each in shown.elements) == len(figures)
    places = [each["id"] for _, each in shown.elements if "id" in each]
    assert len(places) == len(set(places))


def test_a_long_run_is_drawn_in_bins_that_hide_no_extreme():
    assert Bins.drawn(MOST_PERIODS).width == 1
    values = np.random.default_rng(1).normal(size=10_007)
    bins = Bins.drawn(len(values))
    thinned = bins.thinned(values)
    assert len(thinned.middle) <= MOST_BINS
    assert thinned.low.min() == values.min()
    assert thinned.high.max() == values.max()
    counts = np.diff(np.append(bins.starts, len(values)))
    assert (thinned.middle * counts).sum() == pytest.approx(values.sum())


def test_the_ssr_of_a_bin_is_that_of_its_packets_and_not_the_mean_of_ratios():
    found = Bins(3, most=1).shares(np.array([1.0, 0, 8]), np.array([2.0, 0, 8]))
    assert (found.middle, found.low, found.high) == ([0.9], [0.5], [1.0])


# -- latency -----------------------------------------------------------------------------------------------------------


def latencies_ns(run, name):
    packets = pq.read_table(run / "packets.parquet").to_pylist()
    return np.array(
        [
            each["departure_ns"] - each["arrival_ns"]
            for each in packets
            if each["slice"] == name and each["departure_ns"] is not None and each["period"] > 0
        ]
    )


def test_the_curve_from_packets_is_exact_at_every_point(run):
    for name, found in distributions(RunData.open(run)).items():
        latencies = latencies_ns(run, name)
        shares = [(latencies / 1e6 <= at_ms).mean() for at_ms in found.at_ms]
        assert found.low.tolist() == found.high.tolist() == shares
        assert found.sent == len(latencies)


def test_without_packets_the_curve_is_known_to_run_within_bounds(run, tmp_path):
    exact = distributions(RunData.open(run))
    copy = copied(run, tmp_path)
    (copy / "packets.parquet").unlink()
    for name, found in distributions(RunData.open(copy)).items():
        assert (found.low <= exact[name].low).all()
        assert (exact[name].low <= found.high).all()


def test_the_bounds_are_reached_by_packets_that_have_the_same_quantiles():
    points = np.array([1.0, 2.0, 3.0, 4.0])
    found = bounds(points, np.array([[2.0], [3.0], [4.0]]), np.array([100]))
    least = np.repeat([2.0, 3.0, 4.0], [50, 49, 1])  # all as late as they may be
    most = np.repeat([0.5, 2.0, 3.0, 4.0], [49, 49, 1, 1])  # all as early
    assert found.low.tolist() == [(least <= at).mean() for at in points]
    assert found.high.tolist() == [(most <= at).mean() for at in points]


# -- starvation --------------------------------------------------------------------------------------------------------

SCALE = Scale(2.0, 3.0, "")


def spells(utility, share, packets=FEWEST_PACKETS, **options):
    """Who pays where a slice has a share of its packets satisfied, in so many periods of so many packets."""
    resolved = np.full((len(utility), 1), float(packets))
    found = paying(SCALE, ["it"], np.array(utility), resolved * np.array(share)[:, None], resolved, **options)
    return [(each.rows.start, each.rows.stop) for each in found]


def test_a_slice_pays_for_u_where_its_ssr_is_below_nine_tenths_of_what_u_promises():
    assert spells([3.0], [0.89]) == [(0, 1)]
    assert spells([3.0], [0.9]) == []
    assert spells([2.5], [0.44]) == [(0, 1)]
    assert spells([2.5], [0.45]) == []
    assert spells([2.0], [0.0]) == []  # a bad U hides nothing


def test_few_packets_starve_nobody():
    assert spells([3.0], [0.0], packets=FEWEST_PACKETS - 1) == []


def test_neighbouring_stretches_are_told_as_one():
    assert spells([3.0] * 6, [1, 0, 0, 1, 0, 1], stretches=6) == [(1, 3), (4, 5)]
    assert spells([3.0] * 6, [1, 0, 0, 1, 0, 1], stretches=1) == [(0, 6)]


def test_a_run_whose_slice_pays_for_u_is_warned_of(run):
    data = RunData.open(run)
    starving = {name for name, ssr in zip(SLICES, data.ssr, strict=True) if ssr < FULL}
    counted = {name for n, name in enumerate(SLICES) if data.resolved[:, n].sum() >= FEWEST_PACKETS}
    told = list(starved(data, Scale(0.0, 0.1, "")))
    assert starving & counted
    assert [text.split(" pays for U")[0] for text in told] == [
        f"Slice {name}" for name in SLICES if name in starving & counted
    ]
    assert list(starved(data, Scale(100.0, 200.0, ""))) == list(starved(data, None)) == []


def test_a_reward_that_is_not_known_is_not_shown(tmp_path, capsys):
    scenario = netsim.load_scenario("tiny").model_copy(update={"reward": None})
    print_summary(netsim.run(scenario, periods=2, out=tmp_path / "run"), None)
    assert "reward" not in capsys.readouterr().out
    assert "Reward" not in [fact.label for fact in run_page(tmp_path / "run").facts]


# -- foreign names -----------------------------------------------------------------------------------------------------


def test_foreign_names_are_text(run, tmp_path):
    copy = copied(run, tmp_path)

    def rename(manifest):
        request, scenario = manifest["request"], manifest["request"]["scenario"]
        scenario["slices"] = {BAD if name == "video" else name: part for name, part in scenario["slices"].items()}
        request["controller"] = scenario["description"] = scenario["name"] = f'"><img src=x onerror=alert(1)>{BAD}'

    rewrite(copy, rename)
    summary = json.loads((copy / "summary.json").read_text())
    summary["slices"][BAD] = summary["slices"].pop("video")
    (copy / "summary.json").write_text(json.dumps(summary))
    (copy / "packets.parquet").unlink()
    page = seen(copy)
    assert not {"script", "img"} & page.names()
    assert not [name for _, each in page.elements for name in each if name.startswith("on")]
    assert BAD in page.text
    assert page.curve("allocation.csv", BAD) == periods(run, "allocation")[:, 1].tolist()


def test_a_page_may_reach_nothing_and_run_nothing_but_a_script_that_was_asked_for(tmp_path):
    study = a_study(tmp_path / "study")
    plain, live = seen(study), Seen(page(study, "fetch('/')"))
    assert plain.policy()["default-src"] == "'none'"
    assert not {"script-src", "connect-src"} & plain.policy().keys()
    assert "script" not in plain.names()
    assert live.policy()["connect-src"] == "'self'"
    assert "script" in live.names()


# -- the same bytes ----------------------------------------------------------------------------------------------------


def test_the_same_files_give_the_same_page_wherever_they_are(tmp_path):
    assert page(a_study(tmp_path / "study")) == page(a_study(tmp_path / "elsewhere"))


def test_a_file_that_was_changed_is_noticed(run, tmp_path):
    copy = copied(run, tmp_path)
    (copy / "events.jsonl").write_text("")
    assert RunData.open(copy).damaged == ("events.jsonl",)


def test_a_run_that_replaces_another_takes_its_report_away(run, tmp_path):
    copy = copied(run, tmp_path)
    (copy / NAME).touch()
    a_run(copy, periods=1, force=True)
    assert not (copy / NAME).exists()


# -- unfinished folders ------------------------------------------------------------------------------------------------


def test_a_folder_in_which_nothing_is_yet_has_a_page(tmp_path):
    (tmp_path / ".lock").touch()
    assert "Nothing has been written here yet" in seen(tmp_path).text


def test_a_run_that_has_just_begun_says_so(run, tmp_path):
    copy = copied(run, tmp_path)
    rewrite(copy, lambda manifest: manifest.update(finished=False, files={}))
    for path in copy.iterdir():
        if path.name != "manifest.json":
            path.rename(path.with_name(f".{path.name}.partial"))
    page = seen(copy)
    assert "Unfinished. The run is going on, or was stopped, and no period of it can be read yet" in page.text
    assert "figure" not in page.names()


def test_a_run_that_was_stopped_is_shown_as_far_as_it_went(run, shown, tmp_path):
    copy = copied(run, tmp_path)
    rewrite(copy, lambda manifest: manifest.update(finished=False, files={}))
    (copy / "summary.json").unlink()
    stopped = seen(copy)
    assert "Unfinished. The run was stopped before its end; what follows covers the 30 of 30 periods" in stopped.text
    assert stopped.numbers("ssr.csv") == shown.numbers("ssr.csv")


def test_a_training_that_goes_on_is_shown_up_to_its_last_whole_line(tmp_path):
    lines = [*interactions(100), evaluated(100, 2.8, URLLC=0.7)]
    page = seen(a_training(tmp_path / "training", lines, finished=False, torn='{"interactions": 110, "rew'))
    assert "Unfinished. 100 of 200 interactions are done." in page.text
    assert page.text.count("pays for U. Its SSR") == page.text.count("Slice URLLC pays for U. Its SSR is 0.7000") == 1
    learning = [row["value"] for row in page.numbers("utility.csv") if row["series"] == "while learning"]
    assert [float(value) for value in learning] == pytest.approx([line["utility"] for line in interactions(100)])


def test_a_study_that_goes_on_tells_how_far_its_runs_are(tmp_path):
    study = a_study(tmp_path / "study")
    (study / "study.json").unlink()
    lines = list(interactions(50))
    a_training(study / "jobs" / "ddqn.0" / "out", lines, finished=False)
    (study / "jobs" / "random.0").mkdir()
    page = seen(study)
    assert "nothing has been concluded yet" in page.text
    assert "50 of 200 interactions" in page.text


def test_a_study_some_of_whose_runs_are_missing_says_how_many(tmp_path):
    assert "3 of 4 runs are finished" in seen(a_study(tmp_path / "study", finished=3)).text


# -- trainings and studies ---------------------------------------------------------------------------------------------


def test_a_training_tells_what_exploring_cost(tmp_path):
    lines = [*interactions(200), evaluated(200, 2.9)]
    page = seen(a_training(tmp_path / "training", lines))
    # 20 lines of 100 packets that failed at an SSR of 0.5; at the 0.9 of the learned policy a fifth of them would have.
    assert page.curve("failures.csv", "video", "failed")[-1] == 2000
    assert page.curve("failures.csv", "video", "under the learned policy") == [0, pytest.approx(400)]
    given_up = sum((2.9 - line["utility"]) * 10 for line in interactions(200))
    assert page.curve("given-up.csv", "Utility given up while learning", "given up")[-1] == pytest.approx(given_up)


def test_what_a_twin_and_its_watch_recorded_is_shown(tmp_path):
    early = interactions(100, iteration=1, twin={"state_loss": 0.5, "outcome_loss": None})
    late = [line for line in interactions(200, iteration=2, twin={"state_loss": 0.25}) if line["interactions"] > 100]
    loop = {"refit": "drift", "zeta": 0.5}
    page = seen(a_training(tmp_path / "training", [*early, *late], agent="ddqn-dt", loop=loop))
    assert "1 were noticed, at 100 interactions or shortly after" in page.text
    assert page.curve("twin.csv", "state loss", "state_loss") == [0.5] * 10 + [0.25] * 10


def test_a_line_in_the_middle_that_is_no_json_is_damage(tmp_path):
    folder = a_training(tmp_path / "training", interactions(100))
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text("{\n" + text)
    with pytest.raises(InputError, match=r"metrics.jsonl:1: is no JSON"):
        page(folder)


def test_a_study_shows_its_claims_and_figures(tmp_path):
    page = seen(a_study(tmp_path / "study"))
    assert "1. twin is better" in page.text
    assert "0.125 to 0.375" in page.text
    assert [row["low"] for row in page.numbers("a-1.csv")] == ["0.2", "0.4"]
    assert [row["value"] for row in page.numbers("b-1.csv")] == ["0.5"]


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_writes_the_page_into_the_folder_and_rewrites_it(tmp_path, capsys):
    study = a_study(tmp_path / "study")
    for _ in range(2):
        assert command.main(["report", str(study)], standalone_mode=False) is None
        assert (study / NAME).read_text(encoding="utf-8") == page(study)
    assert capsys.readouterr().out == f"{study / NAME}\n" * 2


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    study = a_study(tmp_path / "study")
    with pytest.raises(InputError, match=r"--out FILE puts it elsewhere"):
        command.main(["report", str(study), "--out", str(tmp_path / "no" / "x.html")], standalone_mode=False)


def test_a_training_that_has_a_report_can_be_replaced(tmp_path):
    folder = a_training(tmp_path / "training", interactions(10))
    (folder / NAME).touch()
    clear(folder, force=True)
    assert not folder.exists()


# -- what has no report ------------------------------------------------------------------------------------------------


def test_other_folders_are_refused_with_the_kinds_that_have_reports(tmp_path):
    (tmp_path / "x.txt").touch()
    with pytest.raises(InputError, match=r"netsim run --out.*netsim train --out.*netsim study"):
        page(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        page(tmp_path / "x.txt")


def test_what_is_sealed_but_makes_no_sense_is_refused_without_a_traceback(run, tmp_path):
    copy = copied(run, tmp_path)
    rewrite(copy, lambda manifest: manifest["request"].pop("scenario"))
    with pytest.raises(InputError, match=r"does not hold what netsim writes \(KeyError"):
        page(copy)
