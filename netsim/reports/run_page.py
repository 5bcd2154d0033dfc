"""The page of a run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netsim.beststatic import Best
from netsim.console import interval, number
from netsim.reports.document import Document, Fact, Section, Table
from netsim.reports.promises import best_of, comparable, scale_of
from netsim.reports.run_data import RunData
from netsim.reports.run_figures import Courses, latency_figures
from netsim.reports.starvation import Scale
from netsim.reports.worst_slice import starved, worst_section

STOPPED = "The run is going on, or was stopped, and no period of it can be read yet; `--resume` runs it again."
GOING_ON = "The run is going on, or was killed: {done:,} of {asked:,} periods so far."
CUT_SHORT = "The run was stopped before its end; what follows covers the {done:,} of {asked:,} periods that were kept."


def run_page(folder: Path) -> Document:
    """What a run directory says."""
    run = RunData.open(folder)
    best = best_of(run.request) if comparable(run.request) else None
    scale = scale_of(run.scenario, best)
    readable = run.readable
    return Document(
        kind="run",
        title=f"{run.scenario['name']}, {run.request['controller']}",
        lead=_lead(run),
        unfinished=_unfinished(run, readable),
        warnings=[*_warnings(run), *(starved(run, scale) if readable else ())],
        facts=_facts(run, best) if readable else (),
        sections=_sections(run, best, scale) if readable else (),
        made=_made(run.request),
    )


def _unfinished(run: RunData, readable: bool) -> str:
    if run.summary is not None:
        return ""
    if not readable:
        return STOPPED
    told = GOING_ON if run.goes_on else CUT_SHORT
    return told.format(done=len(run.periods), asked=run.request["periods"])


def _lead(run: RunData) -> str:
    what = " ".join(run.scenario.get("description", "").split())
    request = run.request
    return f"{request['periods']} periods under {request['controller']}, seed {request['seed']}. {what}".strip()


def _warnings(run: RunData) -> Iterator[str]:
    if run.damaged:
        yield f"Not as the run wrote them: {', '.join(run.damaged)}. What follows may be wrong."
    if run.summary is not None and (faults := run.summary["faults"]):
        yield f"The controller was at fault in {faults} periods, which were played as the one before."


def _facts(run: RunData, best: Best | None) -> list[Fact]:
    figures = run.figures
    worst = run.worst
    facts = [Fact("Utility U", interval(figures["utility"], 4))]
    if (over := figures.get("share_of_best_static")) is not None and comparable(run.request):
        facts.append(Fact("Share of best static", interval(over, 4), "" if best is None else f"U {best.utility:.4f}"))
    if worst is not None:
        facts.append(Fact("Worst slice, SSR", interval(figures["slices"][worst]["ssr"], 4), worst))
    if (reward := figures.get("reward")) is not None and reward["mean"] is not None:
        facts.append(Fact("Reward", interval(reward, 4)))
    facts.append(Fact("SE capacity", interval(figures["se_capacity"], 2), "bit/s/Hz granted"))
    facts.append(Fact("SE carried", interval(figures["se_carried"], 4), "bit/s/Hz sent"))
    return facts


def _sections(run: RunData, best: Best | None, scale: Scale | None) -> list[Section]:
    courses = Courses(run, best, scale)
    return [
        Section("slices", "Slices", tables=[_slices(run)]),
        Section("course", "Allocation and satisfaction", figures=[courses.allocation(), courses.ssr()]),
        Section(
            "utility",
            "Utility and spectral efficiency",
            _best_words(best, run),
            figures=[courses.utility(), courses.efficiency()],
        ),
        Section("latency", "Latency and queues", figures=[*latency_figures(run), courses.queue()]),
        worst_section(run, scale),
    ]


def _best_words(best: Best | None, run: RunData) -> Sequence[str]:
    if not comparable(run.request):
        whole = run.scenario["control"]["periods"]
        return [f"The load moves, so only a run of all {whole} periods is held against the best static allocation."]
    if best is None:
        name = run.scenario["name"]
        return [
            "The best static allocation of this scenario is not known on this machine. "
            f"`netsim calibrate {name}` finds it."
        ]
    units = "/".join(map(str, best.allocation))
    low, high = best.utility_ci95
    return [
        f"The best static allocation is {units}: U {best.utility:.4f} ({low:.4f} to {high:.4f}), {best.seeds} seeds."
    ]


def _slices(run: RunData) -> Table:
    headings = [
        "slice",
        "users",
        "rate floor",
        "latency limit",
        "units, mean",
        "arrived",
        "SSR",
        "slow",
        "late",
        "dropped",
        "latency mean, ms",
        "latency p99, ms",
        "carried, Mbit/s",
    ]
    rows = [_slice_row(run, n, name) for n, name in enumerate(run.names)]
    return Table("What each slice was promised and got, with 95 % intervals", headings, rows)


def _slice_row(run: RunData, n: int, name: str) -> list[str]:
    promise, figures = run.promises[name], run.figures["slices"][name]
    return [
        name,
        str(promise.users),
        promise.rate_floor,
        ", then ".join(promise.limits),
        number(float(run.of_slices("allocation")[:, n].mean()), 1),
        *(
            interval(figures[key], 4) if key == "ssr" else f"{figures[key]:,}"
            for key in ("arrived", "ssr", "slow", "late", "dropped")
        ),
        number(figures["latency_mean_ms"]["mean"], 3),
        number(figures["latency_p99_ms"]["mean"], 3),
        number(figures["carried_mbps"]["mean"], 3),
    ]


def _made(request: Mapping[str, Any]) -> dict[str, str]:
    versions = request["versions"]
    plugins = {"plugins": ", ".join(request["plugins"])} if request["plugins"] else {}
    return {
        "scenario": f"{request['scenario']['name']} ({request['scenario_hash'][:12]})",
        "controller": request["controller"],
        **plugins,
        "seed": str(request["seed"]),
        "periods": f"{request['periods']}, after period 0, which is not shown: the controller did not decide it",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
