"""What training and evaluation show."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from netsim.console import interval, number, safe, span, table_of, wide

LearningProgress = Callable[[int, int, Mapping[str, Any]], None]


@contextmanager
def learning_bar(hidden: bool) -> Iterator[LearningProgress | None]:
    """A bar on standard error with the newest figures: reward, U, SSR per slice, epsilon, interactions a second."""
    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, line: Mapping[str, Any]) -> None:
            speed = bar.tasks[task].speed or 0.0
            bar.update(task, completed=done, total=total, description=_told(line, speed))

        yield show


def _told(line: Mapping[str, Any], per_s: float) -> str:
    ssr = " ".join(f"{safe(name)} {value:.3f}" for name, value in line["ssr"].items())
    figures = f"reward {line['reward']:.3f}  U {line['utility']:.3f}  SSR {ssr}  epsilon {line['epsilon']:.2f}"
    return f"{figures}  {per_s:.0f}/s"


def print_training(summary: Mapping[str, Any], out: Path | None) -> None:
    """What a training came to."""
    console = wide()
    ledger, exploring, greedy = summary["ledger"], summary["exploring"], summary["greedy"]
    name = safe(summary["scenario"])
    console.print(
        f"{summary['agent']} on {name}, seed {summary['seed']}: {ledger['real_interactions']} interactions, "
        f"{ledger['gradient_steps']} updates"
    )
    slices = list(exploring["ssr"])
    table = table_of("", "U", *(f"SSR {safe(each)}" for each in slices))
    held_out = [interval(greedy["ssr"][each], 4) for each in slices]
    table.add_row("greedy, held-out seeds", interval(greedy["utility"], 4), *held_out)
    learned = [number(exploring["ssr"][each], 4) for each in slices]
    table.add_row("while learning", number(exploring["utility"], 4), *learned)
    console.print(table)
    broken = sum(exploring["violations"].values())
    console.print(f"cost of learning: {broken} packets without what their SLA promises")
    if out is not None:
        console.print(f"results: {safe(str(out))}")


def print_evaluation(figures: Mapping[str, Any]) -> None:
    """A controller's figures on held-out seeds."""
    console = wide()
    first, last = figures["seeds"]
    name, controller = (safe(figures[key]) for key in ("scenario", "controller"))
    console.print(f"{name}, controller {controller}, {figures['periods']} periods on each of seeds {first} to {last}")
    table = table_of("", "mean", "95 % interval")
    rows = [
        ("utility U", figures["utility"]),
        ("U over best static", figures["share_of_best_static"]),
        ("reward at g = gmax", figures["reward"]),
        ("SE capacity, bit/s/Hz", figures["se_capacity"]),
        *((f"SSR {safe(each)}", part["ssr"]) for each, part in figures["slices"].items()),
    ]
    for label, figure in rows:
        if figure is not None:
            table.add_row(label, number(figure["mean"], 4), span(figure["ci95"], 4))
    console.print(table)
    worst = figures["worst_slice"]
    console.print(f"worst slice: {safe(worst['name'])}, SSR {interval(worst['ssr'], 4)}")


def print_trainings(figures: Sequence[Mapping[str, Any]], agents: Sequence[str | None]) -> None:
    """A line per controller, and one per agent that was trained more than once."""
    from rl.evaluation import over_trainings

    console = wide()
    asked = figures[0]
    first, last = asked["seeds"]
    name = safe(asked["scenario"])
    console.print(f"{name}, {asked['periods']} periods on each of seeds {first} to {last}")
    table = table_of("controller", "U", "U over best static", "worst slice", "its SSR")
    for each in figures:
        worst = each["worst_slice"]
        cells = (interval(each["utility"], 4), interval(each["share_of_best_static"], 4))
        told = (safe(worst["name"]), interval(worst["ssr"], 4))
        table.add_row(safe(each["controller"]), *cells, *told)
    for agent in dict.fromkeys(agents):
        mine = [each for each, whose in zip(figures, agents, strict=True) if whose == agent]
        if agent is not None and len(mine) > 1:
            over = over_trainings(mine)
            cells = (interval(over["utility"], 4), interval(over["share_of_best_static"], 4))
            table.add_row(f"{agent}, mean of {len(mine)} trainings", *cells, "", "")
    console.print(table)


def print_card(card: Mapping[str, Any], out: Path | None) -> None:
    """What a student is beside its teacher."""
    console = wide()
    fit, simulator, agreed = (card[key] for key in ("fit", "simulator", "agreement"))
    console.print(
        f"student of {card['teacher']['agent']}: {fit['states']} states, {fit['steps']} steps, "
        f"weights of step {fit['best_step']}"
    )
    console.print(_beside_its_teacher(card))
    console.print(
        f"agrees in {interval(agreed['held_out'], 4)} of {fit['held_out_states']} held-out states; the teacher chooses "
        f"among {agreed['allocations_of_the_teacher']} there, the commonest in "
        f"{number(agreed['of_its_commonest_alone'], 4)} of them"
    )
    first, last = simulator["seeds"]
    console.print(
        f"keeps {interval(simulator['utility_kept'], 4)} of its teacher's U on "
        f"{safe(simulator['scenario'])}, {simulator['periods']} periods on each of seeds {first} to {last}"
    )
    for name, figure in simulator["ssr_lost"].items():
        console.print(f"SSR lost, {safe(name)}: {interval(figure, 4)}")
    faster = number(card["teacher_torch_over_student_numpy"], 1)
    console.print(f"decides in numpy {faster} times as fast as the teacher in torch")
    if out is not None:
        console.print(f"student: {safe(str(out))}")


def _beside_its_teacher(card: Mapping[str, Any]) -> Table:
    teacher, student = card["teacher"], card["student"]
    table = table_of("", "teacher", "student")
    for key in ("parameters", "parameters_without_head", "flops", "flops_without_head"):
        label = key.replace("_", " ").replace("flops", "FLOPs per decision")
        table.add_row(label, *("-" if each[key] is None else f"{each[key]:,}" for each in (teacher, student)))
    taken = card["latency_us"]
    for form in taken["student"]:
        table.add_row(f"decision in {form}, us", *(number(taken[who].get(form), 1) for who in ("teacher", "student")))
    played = card["simulator"]["utility"]
    table.add_row("U", *(interval(played[who], 4) for who in ("teacher", "student")))
    return table


def print_landscape(shown: Mapping[str, Any]) -> None:
    """How sharp agents are, and whether flatness goes with U."""
    console = wide()
    agents = shown["agents"]
    console.print(f"{shown['transitions']['count']} transitions of {safe(shown['scenario'])}")
    headings = [f"{agent}, {group['trainings']} trainings" for agent, group in agents.items()]
    figures = {name: [group["sharpness"][name] for group in agents.values()] for name in shown["sharpness"]}
    console.print(_table(headings, {name: [interval(each, 2) for each in row] for name, row in figures.items()}))
    if "flatness" not in shown:
        return
    console.print("rank correlation with U; below zero, flatter agents get more")
    found = shown["flatness"]["rank_correlation"]
    for scenario in shown["runs"][0]["utility"]:
        console.print(safe(scenario))
        rows = {name: [_ends(kind) for kind in each[scenario].values()] for name, each in found.items()}
        console.print(_table(["all trainings", "within agents"], rows))


def _table(headings: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Table:
    table = table_of("", *headings)
    for name, cells in rows.items():
        table.add_row(name.replace("_", " "), *cells)
    return table


def _ends(figure: Mapping[str, Any]) -> str:
    if figure["ci95"] is None:
        return number(figure["mean"], 2)
    return f"{number(figure['mean'], 2)} ({span(figure['ci95'], 2)})"
