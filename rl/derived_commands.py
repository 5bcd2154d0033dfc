"""The commands that make something of trained agents: students, and pictures of where training has left them."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rl.options import COUNT, FIRST_SEED, SEEDS, echo_json

if TYPE_CHECKING:
    from rl.distillation import DistillationConfig
    from rl.greedy import HeldOutSeeds


@click.command()
@click.argument("run_dirs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN_DIR...")
@click.option("--hidden", multiple=True, metavar="16,16", help="Widths of hidden layers; with --figure several.")
@click.option("--head", type=click.Choice(["full", "factored"]), default="full", show_default=True, help="The outputs.")
@click.option("--temperature", metavar="T", help="Learn from softmax(Q / T) instead of the allocations chosen.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S", help="Seed of weights and batches.")
@click.option("--hyper", multiple=True, metavar="KEY=VALUE", help="Override a setting of the distillation.")
@click.option("--periods", type=COUNT, default=500, show_default=True, metavar="N", help="Periods for each seed.")
@click.option(
    "--seeds", type=click.IntRange(2, 10_000), default=10, show_default=True, metavar="K", help="Held-out seeds."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the student.")
@click.option("--figure", type=click.Path(path_type=Path), metavar="DIR", help="Folder for a figure of many students.")
@click.option("--force", is_flag=True, help="Replace the student or the figure in DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print the card, or the figure's numbers, as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def distill(
    run_dirs: tuple[Path, ...],
    hidden: tuple[str, ...],
    head: str,
    temperature: str | None,
    seed: int,
    hyper: tuple[str, ...],
    periods: int,
    seeds: int,
    out: Path | None,
    figure: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Teach a small network what the agent that was trained in RUN_DIR does, from the states it remembers.

    `netsim distill runs/ddqn-1 --hidden 16,16 --out runs/student` keeps the student and its card; the controller
    student:runs/student plays it, `netsim export runs/student` writes it as numpy and ONNX. `netsim distill runs/dqn-*
    runs/dqn-dt-* --figure figures` shows students of 4 and 16 neurons learning beside their teachers.
    """
    for library in ("OPENBLAS", "MKL", "OMP"):  # latencies are those of one thread; numpy looks here when imported
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from rl.distillation import DistillationConfig
    from rl.greedy import HeldOutSeeds
    from rl.settings import settings_of

    if (out is None) == (figure is None):
        raise click.UsageError("give --out DIR to keep one student, or --figure DIR to compare many")
    soft = () if temperature is None else (f"temperature={temperature}",)
    asked = (f"head={head}", *soft, *hyper)
    configs = [
        settings_of("student", DistillationConfig, (f"hidden={widths},", *asked))
        for widths in hidden or (("16,16",) if figure is None else ("4,4", "16,16"))
    ]
    held_out = HeldOutSeeds(periods, FIRST_SEED, seeds)
    if figure is not None:
        _students_figure(run_dirs, configs, seed, held_out, figure, force, as_json, quiet)
        return
    assert out is not None
    if len(run_dirs) > 1 or len(configs) > 1:
        raise click.UsageError("--out keeps one student of one RUN_DIR")
    _one_student(run_dirs[0], configs[0], seed, held_out, out, force, as_json, quiet)


def _one_student(
    run_dir: Path,
    config: "DistillationConfig",
    seed: int,
    held_out: "HeldOutSeeds",
    out: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from rl.card import distilled
    from rl.console import print_card
    from rl.records import clear
    from rl.students import FILES, save

    clear(out, force, "student", FILES)
    made = distilled(run_dir, config, seed, held_out)
    save(made.student, out, made.request, made.card)
    if as_json:
        echo_json(made.card)
    elif not quiet:
        print_card(made.card, out)


def _students_figure(
    run_dirs: tuple[Path, ...],
    configs: list["DistillationConfig"],
    seed: int,
    held_out: "HeldOutSeeds",
    folder: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from netsim.console import progress_bar
    from rl.figures import keep, refuse_existing
    from rl.students_figure import NAME, drawn, numbers

    refuse_existing(folder, NAME, force)
    with progress_bar(hidden=quiet or as_json) as progress:
        shown = numbers(run_dirs, configs, seed, held_out, progress)
    _told(keep(folder, NAME, shown, {NAME: partial(drawn, shown)}, force), folder, shown, as_json, quiet)


@click.command()
@click.argument("run_dirs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN_DIR...")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder for the figures.")
@click.option("--data", type=click.Path(path_type=Path), metavar="FILE", help="Transitions, as a replay.safetensors.")
@click.option("--shifted", multiple=True, metavar="SCENARIO", help="Compare with U there; or 'KEY=VALUE ...' instead.")
@click.option("--planes/--no-planes", default=True, help="Two dimensions too, for one of each agent.")
@click.option("--periods", type=COUNT, default=500, show_default=True, metavar="N", help="Periods of --shifted.")
@click.option("--seeds", type=click.IntRange(1, 10_000), default=10, show_default=True, metavar="K", help="Its seeds.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S", help="Seed of random directions.")
@click.option("--hyper", multiple=True, metavar="KEY=VALUE", help="Override a setting of the landscape.")
@click.option("--force", is_flag=True, help="Replace the figures in DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def landscape(
    run_dirs: tuple[Path, ...],
    out: Path,
    data: Path | None,
    shifted: tuple[str, ...],
    planes: bool,
    periods: int,
    seeds: int,
    seed: int,
    hyper: tuple[str, ...],
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show the loss around the parameters of agents that were trained in RUN_DIRs, and how sharp it is (figure 7).

    `netsim landscape runs/dqn-* runs/dqn-dt-* --shifted 'slices.URLLC.users=16' --out figures` draws it along the
    normalised gradient and along random directions, and tells whether flat agents keep more of their U where the load
    is another than the one they learned from.
    """
    from netsim.console import progress_bar
    from rl import landscape_figure as figures
    from rl.console import print_landscape
    from rl.figures import keep, refuse_existing
    from rl.greedy import HeldOutSeeds
    from rl.landscape import read_transitions
    from rl.settings import settings_of
    from rl.sharpness import LandscapeConfig

    refuse_existing(out, figures.LINES, force)
    with progress_bar(hidden=quiet or as_json) as progress:
        shown = figures.numbers(
            run_dirs,
            settings_of("landscape", LandscapeConfig, hyper),
            seed=seed,
            transitions=None if data is None else read_transitions(data),
            shifts=shifted,
            played=HeldOutSeeds(periods, FIRST_SEED, seeds),
            planes=planes,
            progress=progress,
        )
    drawings = {figures.LINES: partial(figures.drawn_lines, shown)}
    drawings |= {figures.PLANES: partial(figures.drawn_planes, shown)} if planes else {}
    drawings |= {figures.SCATTER: partial(figures.drawn_flatness, shown)} if shifted else {}
    files = keep(out, figures.LINES, shown, drawings, force)
    if not (quiet or as_json):
        print_landscape(shown)
    _told(files, out, shown, as_json, quiet)


def _told(files: list[str], folder: Path, shown: object, as_json: bool, quiet: bool) -> None:
    if as_json:
        echo_json(shown)
    elif not quiet:
        click.echo(f"written to {folder}: {', '.join(files)}")


COMMANDS = (distill, landscape)
