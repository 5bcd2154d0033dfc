"""What data sets, what-ifs and the fidelity of twins show."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from netsim.console import interval, number, safe, table_of, wide

if TYPE_CHECKING:
    from twin.fidelity import Fidelity
    from twin.whatif import WhatIf

_QUANTILES = ("min", "p5", "p50", "p95", "max")


def print_card(card: Mapping[str, Any]) -> None:
    """A data card: who played, what was tried, what came of it."""
    console = wide()
    tried = card["allocations"]
    console.print(f"{safe(card['scenario'])}, {counted(card['periods'], 'period')}, {card['transitions']} transitions")
    console.print(_controllers(card["runs"]))
    console.print(f"allocations tried: {tried['distinct']} of {tried['of']} ({100 * tried['share']:.1f} %)")
    console.print(_figures(card))


def _controllers(runs: list[Mapping[str, Any]]) -> Table:
    table = table_of("controller", "runs", "seeds", "periods", "U")
    for name in dict.fromkeys(run["controller"] for run in runs):
        mine = [run for run in runs if run["controller"] == name]
        told = _seeds(sorted(run["seed"] for run in mine if run["seed"] is not None))
        played = [(run["utility"], run["periods"] - 1) for run in mine if run["utility"] is not None]
        weight = sum(n for _, n in played)
        mean = sum(utility * n for utility, n in played) / weight if weight else None
        periods = str(sum(run["periods"] for run in mine))
        table.add_row("not told" if name is None else safe(name), str(len(mine)), told, periods, number(mean, 4))
    return table


def _seeds(known: list[int]) -> str:
    """The first and the last of those that are known: a run that was imported may have none."""
    if not known:
        return "not told"
    return str(known[0]) if known[0] == known[-1] else f"{known[0]} .. {known[-1]}"


def _figures(card: Mapping[str, Any]) -> Table:
    table = table_of("figure of a period", "mean", *_QUANTILES)
    rows = [("utility U", card["utility"], 4), ("SE capacity, bit/s/Hz", card["se_capacity"], 2)]
    kinds = (("SSR", "ssr_of_periods", 4), ("packets arrived", "arrived", 1), ("units", "units", 1))
    for label, key, digits in (*kinds, ("latency, ms", "latency_mean_ms", 3)):
        rows += [(f"{label} {safe(name)}", part[key], digits) for name, part in card["slices"].items()]
    for label, spread, digits in rows:
        table.add_row(label, *(number(spread[key], digits) for key in ("mean", *_QUANTILES)))
    return table


# -- what if -----------------------------------------------------------------------------------------------------------


def print_what_if(found: "WhatIf") -> None:
    """The figures of both ways side by side, and those of the twin."""
    console = wide()
    last = found.at + len(found.recorded.reports) - 1
    console.print(f"{safe(found.scenario)}, seed {found.seed}, periods {found.at} to {last}")
    console.print(f"recorded: {safe(found.recorded.controller)}; what if: {safe(found.changed.controller)}")
    told = found.to_dict()
    columns = [told["recorded"]["figures"], told["what_if"]["figures"], told["gain"]]
    headings = ["recorded", "what if", "difference"]
    if told["twin"] is not None:
        columns += [told["twin"]["figures"], told["twin_error"]]
        headings += ["on the twin", "twin less simulator"]
    table = table_of("mean over periods", *headings)
    for name in found.gain:
        table.add_row(_label(name), *(interval(column[name], _digits(name)) for column in columns))
    console.print(table)


_LABELS = {
    "utility": ("utility U", 4),
    "se_capacity": ("SE capacity, bit/s/Hz", 3),
    "se_carried": ("SE carried, bit/s/Hz", 4),
    "ssr": ("SSR", 4),
    "latency_mean_ms": ("latency, ms", 4),
}
"""What a figure is called, and its digits."""


def _label(name: str) -> str:
    figure, _, which = name.partition(".")
    return f"{_LABELS[figure][0]} {safe(which)}".rstrip()


def _digits(name: str) -> int:
    return _LABELS[name.partition(".")[0]][1]


# -- fidelity ----------------------------------------------------------------------------------------------------------


_ASPECTS = {
    "state": "arrivals, one period ahead",
    "ssr": "SSR, one period ahead",
    "utility": "U, one period ahead",
    "uncertainty": "intervals of U",
    "distribution": "U drawn under each allocation",
    "ranking": "rank correlation of allocations",
    "control": "the allocation it thinks best",
}


def print_fidelity(found: "Fidelity") -> None:
    """The scores of a twin, and the figures that they are made of."""
    console, told = wide(), found.to_dict()
    console.print(f"{safe(found.held_out)}: {found.groups} groups of {counted(found.periods, 'period')} at random")
    table = table_of("score: 1 the truth, 0 what is so on the whole", "score")
    for name, figure in told["scores"].items():
        table.add_row(_ASPECTS[name], interval(figure, 3))
    console.print(table)
    console.print(_error_table(told["errors"]))
    console.print(_spread_table(told["coverage"], told["distances"]))
    console.print(_control_table(told["control"]))


def _error_table(errors: Mapping[str, Any]) -> Table:
    table = table_of("error", "RMSE", "absolute", *(f"skill {k} ahead" for k in errors))
    for name, one in errors["1"].items():
        skills = (interval(each[name]["skill"], 3) for each in errors.values())
        table.add_row(safe(name), interval(one["rmse"], 4), interval(one["mae"], 4), *skills)
    return table


def _spread_table(coverage: Mapping[str, Any], distances: Mapping[str, Any]) -> Table:
    """Coverage in percent, and distances in standard deviations."""
    headings = ("50 % intervals cover, %", "90 %", "distance of the twin", "of two simulator runs")
    table = table_of("spread", *headings)
    for name, each in distances.items():
        held = [_percent(coverage[name][level]) if name in coverage else "-" for level in ("0.5", "0.9")]
        table.add_row(safe(name), *held, interval(each["twin"], 3), interval(each["simulator"], 3))
    return table


def _percent(figure: Mapping[str, Any]) -> str:
    ends = figure["ci95"] and [100 * end for end in figure["ci95"]]
    return interval({"mean": 100 * figure["mean"], "ci95": ends}, 1)


def _control_table(control: Mapping[str, Any]) -> Table:
    table = table_of("control", "units", "U of the simulator")
    for name, key in (("best static", "best_static"), ("the twin's best", "twin_best")):
        table.add_row(name, ",".join(map(str, control[key])), interval(control[f"{key}_utility"], 4))
    table.add_row("regret, % of best static", "", interval(control["regret_percent"], 2))
    table.add_row("rank correlation, all", "", interval(control["rank_correlation"], 3))
    table.add_row("rank correlation, near the best", "", interval(control["rank_correlation_near_best"], 3))
    return table


# -- learning from data -----------------------------------------------------------------------------------------------


def print_offline(summary: Mapping[str, Any], out: Path | None) -> None:
    """What learning from a data set came to."""
    console = wide()
    ledger, greedy = summary["ledger"], summary["greedy"]
    method = "" if summary["method"] == "plain" else f" ({summary['method']})"
    told = counted(ledger["real_interactions"], "recorded transition")
    imagined = f", {ledger['imagined_transitions']} imagined" if ledger["imagined_transitions"] else ""
    console.print(
        f"{summary['agent']}{method} on {safe(summary['scenario'])}, seed {summary['seed']}: {told}{imagined}, "
        f"{ledger['gradient_steps']} updates"
    )
    table = table_of("", "U", "reward", *(f"SSR {safe(name)}" for name in greedy["ssr"]))
    figures = [greedy["utility"], greedy["reward"], *greedy["ssr"].values()]
    table.add_row("greedy, held-out seeds", *(interval(figure, 4) for figure in figures))
    console.print(table)
    if out is not None:
        console.print(f"results: {safe(str(out))}")


def print_ope(shown: Mapping[str, Any]) -> None:
    """What policies are worth as data have it, beside the simulator, and the errors over policies."""
    console = wide()
    first, last = shown["seeds"]
    data = shown["data"]
    console.print(
        f"{safe(shown['scenario'])}: U of a period, from {counted(data['transitions'], 'transition')} of "
        f"{safe(', '.join(data['controllers']) or 'an unknown controller')}; the simulator, {shown['periods']} periods "
        f"on each of seeds {first} to {last}"
    )
    table = table_of("policy", "simulator", "fitted Q", "twin")
    for row in shown["policies"]:
        told = [number(row[way], 4) for way in ("fitted_q", "twin")]
        table.add_row(safe(row["run"]), interval(row["simulator"], 4), *told)
    console.print(table)
    table = table_of("over policies", "bias", "root mean square", "rank correlation", "regret")
    for label, way in (("fitted Q", "fitted_q"), ("twin", "twin")):
        found = shown["errors"][way]
        square, regret = (number(found[name], 4) for name in ("root_mean_square", "regret"))
        table.add_row(label, interval(found["bias"], 4), square, interval(found["rank_correlation"], 2), regret)
    console.print(table)


# -- shared ------------------------------------------------------------------------------------------------------------


def counted(n: int, what: str) -> str:
    """A number and what it counts.

    >>> counted(1, "run"), counted(2, "run")
    ('1 run', '2 runs')
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
