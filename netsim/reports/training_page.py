"""The page of a training."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netsim.beststatic import Best
from netsim.console import interval
from netsim.reports import training_figures as figures
from netsim.reports.document import Document, Fact, Figure, Section, Table
from netsim.reports.exploring import Cost
from netsim.reports.promises import best_of, moves, scale_of
from netsim.reports.starvation import FULL, PAYS, Scale
from netsim.reports.training_data import TrainingData
from netsim.reports.words import flat, listed, share, significant
from netsim.statistics import Figure as Estimate
from netsim.statistics import quotient

LEDGER = {
    "real_interactions": "periods of the real network",
    "imagined_transitions": "transitions imagined by the twin",
    "gradient_steps": "gradient steps of agents",
    "twin_fits": "fits of the twin",
    "twin_gradient_steps": "gradient steps of the twin",
    "alarms": "changes of the network that were noticed",
}
TIMES = {
    "wall_s": "seconds since it was last resumed",
    "twin_fit_cpu_s": "CPU seconds fitting the twin",
    "practice_cpu_s": "CPU seconds practising in the twin",
}
GOING_ON = (
    "{done:,} of {asked:,} {clock} are done. The training is going on, or was stopped; `--resume` goes on with it."
)


def training_page(folder: Path) -> Document:
    """What a training's folder says."""
    training = TrainingData.open(folder)
    request, best = training.request, best_of(training.request)
    still = "" if training.summary else GOING_ON.format(done=training.done, asked=training.asked, clock=training.clock)
    return Document(
        kind="training",
        title=f"{request['scenario']['name']}, {request['agent']}",
        lead=_lead(request),
        unfinished=still,
        warnings=[*_damaged(training), *_starved(training, scale_of(request["scenario"], best))],
        facts=list(_facts(training, best)),
        sections=[each for each in _sections(training, best) if each.figures or each.tables],
        made=_made(request),
    )


def _lead(request: Mapping[str, Any]) -> str:
    if "data" in request:
        data = request["data"]
        return f"Learned from {data['transitions']:,} recorded periods alone, seed {request['seed']}."
    return f"{request['training']['interactions']:,} periods of the network to learn from, seed {request['seed']}."


def _damaged(training: TrainingData) -> Iterator[str]:
    if training.damaged:
        yield f"Not as the training wrote them: {', '.join(training.damaged)}. What follows may be wrong."


def _starved(training: TrainingData, scale: Scale | None) -> Iterator[str]:
    """A warning for each slice that pays for the U of the greedy policy: by the better end of its interval."""
    greedy = training.last_greedy
    if greedy is None or scale is None:
        return
    utility = float(greedy["utility"]["mean"])
    for name in training.names:
        ssr = greedy["ssr"][name]
        if ssr["mean"] is not None and (ssr["ci95"] or [0.0, ssr["mean"]])[1] < FULL * scale.score(utility):
            yield PAYS.format(name=name, ssr=share(ssr["mean"]), utility=utility, percent=100 * scale.score(utility))


def _facts(training: TrainingData, best: Best | None) -> Iterator[Fact]:
    greedy = training.last_greedy
    if greedy is not None:
        yield Fact("Greedy policy, U", interval(greedy["utility"], 4), "on held-out seeds")
        if best is not None and not moves(training.request["scenario"]):
            over = quotient(_estimate(greedy["utility"]), Estimate(best.utility, best.utility_ci95))
            yield Fact("Share of best static", interval(over.to_dict(), 4), f"U {best.utility:.4f}")
        worst = min(training.names, key=lambda name: float(greedy["ssr"][name]["mean"]))
        yield Fact("Worst slice, SSR", interval(greedy["ssr"][worst], 4), worst)
    for key, label in (("real_interactions", "Real interactions"), ("imagined_transitions", "Imagined transitions")):
        if (spent := training.spent.get(key)) is not None:
            yield Fact(label, f"{spent:,}")
    if "wall_s" in training.timing:
        yield Fact("Time", f"{training.timing['wall_s']:,.0f} s", "since it was last resumed")


def _estimate(told: Mapping[str, Any]) -> Estimate:
    return Estimate(told["mean"], None if told["ci95"] is None else (told["ci95"][0], told["ci95"][1]))


def _sections(training: TrainingData, best: Best | None) -> Iterator[Section]:
    scenario = training.request["scenario"]
    cost, scale = Cost(training, moves(scenario)), scale_of(scenario, best)
    marks = {} if scale is None else {"gmax": scale.gmax}
    if best is not None and not cost.moving:
        marks["best static"] = best.utility
    yield Section("learning", "Learning", figures=_there(figures.utility(training, marks), figures.ssr(training)))
    yield Section(
        "cost",
        "Cost of exploring",
        _cost_words(cost),
        [_cost_table(training, cost)] if training.curve("violations", training.names[0]).y.size else (),
        _there(figures.failures(training, cost), figures.given_up(training, cost)),
    )
    yield _twin_section(training)
    yield Section("ledger", "Ledger", tables=_ledger(training))
    yield Section("details", "Reward and loss", figures=_there(figures.reward(training), figures.learning(training)))


def _there(*found: Figure | None) -> list[Figure]:
    return [each for each in found if each is not None]


# -- cost --------------------------------------------------------------------------------------------------------------


def _cost_words(cost: Cost) -> list[str]:
    if cost.moving:
        return [
            "The load of this scenario moves, so what the learned policy would have brought meanwhile is not known."
        ]
    return [
        "What the network paid for the learning, held against playing the learned policy, as it was last evaluated, "
        "from the first period on."
    ]


def _cost_table(training: TrainingData, cost: Cost) -> Table:
    headings = [
        "slice",
        "packets that failed",
        "under the learned policy",
        "SSR while learning",
        "SSR of the learned policy",
    ]
    greedy = training.last_greedy
    rows = [
        [
            name,
            f"{cost.failed(name):,}",
            "-" if (spared := cost.spared(name)) is None else f"{spared:,.0f}",
            share(cost.ssr(name)),
            "-" if greedy is None else interval(greedy["ssr"][name], 4),
        ]
        for name in training.names
    ]
    return Table("Packets that did not get what they were promised", headings, rows)


# -- twin --------------------------------------------------------------------------------------------------------------


def _twin_section(training: TrainingData) -> Section:
    alarms = training.alarms
    words = []
    if training.refits_on_drift:
        where = f", at {listed(f'{at:,.0f}' for at in alarms)} interactions or shortly after" if alarms else ""
        words.append(f"The twin's errors were watched for changes of the network; {len(alarms)} were noticed{where}.")
    elif "loop" in training.request and training.clock == "interactions":
        words.append(
            "The twin was fitted anew in each iteration; drift was not watched for (`--loop refit=drift` does)."
        )
    fidelity = training.fidelity
    if fidelity is None:
        words.append("How true the twin is was not measured: `netsim twin fidelity DIR --out DIR/fidelity` does.")
    tables = [] if fidelity is None else [_scores(fidelity)]
    return Section("twin", "Twin: fidelity and drift", words, tables, _there(figures.twin(training, alarms)))


def _scores(fidelity: Mapping[str, Any]) -> Table:
    rows = [[name.replace("_", " "), interval(figure, 3)] for name, figure in fidelity["scores"].items()]
    return Table(
        f"Fidelity on {fidelity['held_out']}; 1 is the truth, 0 what is so on the whole", ["score", "value"], rows
    )


# -- ledger ------------------------------------------------------------------------------------------------------------


def _ledger(training: TrainingData) -> Sequence[Table]:
    spent = [[LEDGER.get(name, name.replace("_", " ")), f"{count:,}"] for name, count in training.spent.items()]
    taken = [[TIMES.get(name, name.replace("_", " ")), significant(value)] for name, value in training.timing.items()]
    return [Table("What the training spent", ["what", "how much"], [*spent, *taken])] if spent else ()


def _made(request: Mapping[str, Any]) -> dict[str, str]:
    told = {
        "scenario": f"{request['scenario']['name']} ({request['scenario_hash'][:12]})",
        "agent": request["agent"],
        "seed": str(request["seed"]),
        "device": request["device"],
    }
    for what in ("config", "loop", "training", "data"):
        if what in request:
            told[what] = ", ".join(f"{name} {value}" for name, value in flat(request[what]))
    return told | {"versions": ", ".join(f"{name} {version}" for name, version in request["versions"].items())}
