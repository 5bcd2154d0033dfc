"""Folders to make reports of, and what a report says, for tests."""

import csv
import io
import json
from html.parser import HTMLParser
from urllib.parse import unquote

import netsim
from netsim.files import to_json
from netsim.reports import page
from netsim.reports.training_data import KIND as TRAINING
from netsim.results import KIND as RUN
from netsim.studies.engine import KIND as STUDY
from netsim.studies.outcome import FORMAT, VERSION

SLICES = ("VoLTE", "video", "URLLC")
HASH = "0" * 64
"""Of no scenario, so that no best static allocation is known for it."""


def a_run(folder, controller="random", periods=30, **options):
    """A run of ``tiny``, packets kept."""
    netsim.run("tiny", controller, periods=periods, seed=3, out=folder, packets=True, **options)
    return folder


def rewrite(folder, change):
    """Change the manifest of a run and seal it again, as anybody can who hands a folder on."""
    manifest = RUN.read(folder)
    change(manifest)
    content = {name: value for name, value in manifest.items() if name not in ("format", "format_version")}
    RUN.write(folder, content)


def interactions(count, every=10, **more):
    """Lines of metrics as a training writes them, whose utility rises by 0.001 an interaction."""
    for done in range(every, count + 1, every):
        yield {
            "interactions": done,
            "reward": done / count,
            "utility": 2.5 + 0.001 * done,
            "ssr": dict.fromkeys(SLICES, 0.5),
            "violations": dict.fromkeys(SLICES, 100),
            "epsilon": 1 - done / count,
            "threshold": 2.0,
            "loss": None if done == every else 1 / done,
            "updates": done,
            **more,
        }


def evaluated(done, utility, **ssr):
    """A line of an evaluation; ``ssr`` of slices that have another one than 0.9."""
    return {"interactions": done, "greedy": greedy(utility, **ssr)}


def greedy(utility, **ssr):
    """Figures of a greedy policy."""
    shares = dict.fromkeys(SLICES, 0.9) | ssr
    return {"utility": around(utility), "ssr": {name: around(share) for name, share in shares.items()}}


def around(mean):
    """A figure with its interval."""
    return {"mean": mean, "ci95": [mean - 0.01, mean + 0.01]}


def a_training(folder, lines, *, count=200, finished=True, torn="", **request):
    """A training with these lines of metrics; ``torn`` is a line that is just being written."""
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + torn)
    scenario = {**netsim.load_scenario("tiny").to_dict(), "reward": {"gmin": 2.0, "gmax": 3.0}}
    asked = {
        "scenario": scenario,
        "scenario_hash": HASH,
        "agent": "ddqn",
        "config": {"discount": 0.8},
        "training": {"interactions": count},
        "seed": 1,
        "device": "cpu",
        "versions": {"python": "3"},
        **request,
    }
    if finished:
        ledger = {"real_interactions": count, "imagined_transitions": 7, "gradient_steps": 190}
        exploring = {"ssr": dict.fromkeys(SLICES, 0.5)}
        summary = {"ledger": ledger, "greedy": greedy(2.9), "exploring": exploring}
        (folder / "summary.json").write_text(to_json(summary))
        (folder / "timing.json").write_text(to_json({"wall_s": 12.5}))
    TRAINING.write(folder, {"finished": finished, "request": asked, "files": {}})
    return folder


def a_study(folder, finished=4, planned=4, title="Reward while learning"):
    """A study of two groups with a curve, a number and two claims."""
    folder.mkdir(parents=True)
    STUDY.write(folder, {"study": "mine"})
    curve = {"runs": 2, "x": [20.0, 40.0], "iqm": [0.25, 0.5], "low": [0.2, 0.4], "high": [0.3, 0.6]}
    point = {"runs": 2, "iqm": 0.5, "ci95": [0.4, 0.6], "values": [0.4, 0.6]}
    shape = {"title": title, "x_label": "interactions", "y_label": "reward", "ledger": True}
    claim = {
        "claim": "twin is better", "says": "As the paper has it.", "measure": "last", "higher": ["twin"],
        "lower": ["plain"], "margin": 0.0, "effect": 0.25, "ci95": [0.125, 0.375], "p": 0.01, "p_holm": 0.02,
        "pairs": 8, "method": "signs", "verdict": "holds", "probability_of_improvement": None, "pairs_needed": 3,
    }  # fmt: skip
    group = {"command": "netsim train tiny", "runs": 2, "planned": 2, "ledger": {}, "seconds": 1.5}
    found = {
        "format": FORMAT,
        "format_version": VERSION,
        "study": "mine",
        "description": "A study whose answers are known.",
        "parameters": {"seeds": 2},
        "runs": {"planned": planned, "finished": finished, "failed": {}},
        "groups": {"plain": {**group, "ledger": {"real_interactions": 40}}, "twin": group},
        "measures": {"last": {"plain": {**point, "mean": 0.5}, "twin": {"runs": 0, "iqm": None, "ci95": None}}},
        "figures": [
            {"figure": "a", "kind": "curves", **shape, "panels": [panel(plain=curve, twin=None)]},
            {"figure": "b", "kind": "points", **shape, "panels": [panel(plain=point)]},
        ],
        "claims": [claim, {**claim, "claim": "twin is best", "ci95": None, "verdict": "undecided"}],
        "made": {"command": "netsim study mine", "commit": None, "machine": {"cores": 2}},
    }  # fmt: skip
    (folder / "study.json").write_text(to_json(found))
    return folder


def panel(**groups):
    """A panel of a figure of a study."""
    return {"heading": "", "groups": groups}


# -- what a page says --------------------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """Elements of a page with their attributes, its text, and the numbers it offers."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def names(self):
        return {tag for tag, _ in self.elements}

    def numbers(self, name):
        """Rows of the file ``name``, by column."""
        [link] = [each["href"] for tag, each in self.elements if tag == "a" and each.get("download") == name]
        kind, _, content = link.partition(",")
        assert kind == "data:text/csv;charset=utf-8"
        return list(csv.DictReader(io.StringIO(unquote(content))))

    def policy(self):
        """The rules of what the page may load and run."""
        [content] = [each["content"] for tag, each in self.elements if tag == "meta" and "http-equiv" in each]
        return dict(rule.split(" ", 1) for rule in content.split("; "))

    def curve(self, name, panel, series=None):
        """The values of one curve of a file, NaN where it has a gap."""
        rows = [row for row in self.numbers(name) if row["panel"] == panel and row["series"] == (series or panel)]
        return [float(row["value"] or "nan") for row in rows]


def seen(folder):
    """What the report of a folder says."""
    return Seen(page(folder))
