"""``netsim twin``: fitting a twin to recorded data, and how true it is."""

from pathlib import Path

import click

from rl.options import SEEDS, echo_json


@click.group()
def twin() -> None:
    """Fit digital twins of recorded networks, and measure how true they are."""


@twin.command()
@click.argument("data", nargs=-1, required=True, metavar="DATASET...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The twin's folder.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S")
@click.option("--setting", "settings", multiple=True, metavar="KEY=VALUE", help="As in outcome.members=5.")
@click.option("--folder", type=click.Path(path_type=Path), metavar="DIR", help="Where the scenario's files are.")
@click.option("--json", "as_json", is_flag=True, help="Print how the fit went as JSON.")
def fit(
    data: tuple[Path, ...], out: Path, seed: int, settings: tuple[str, ...], folder: Path | None, as_json: bool
) -> None:
    """Fit a twin to DATASETs of one network, folders of `netsim collect` or of `netsim run`.

    Any controller and agent then plays on it: `netsim evaluate fixed:3,70,27 --scenario table1 --plant twin:DIR`.
    """
    from rl.networks import single_thread
    from rl.settings import settings_of
    from twin.digital_twin import DigitalTwin, TwinConfig
    from twin.keeping import keep
    from twin.offline import DataSet

    single_thread()
    found = DataSet.read(data, folder)
    config = settings_of("twin", TwinConfig, settings)
    made = DigitalTwin.fit(found.experience, found.scenario, found.encoder, config, seed)
    fits = {"state": made.states.fitted, "outcome": made.outcomes.fitted}
    about = {
        "transitions": len(found.experience),
        "seed": seed,
        **{name: None if each is None else vars(each) for name, each in fits.items()},
    }
    keep(out, made, found.scenario, about)
    if as_json:
        echo_json(about)
    else:
        click.echo(f"{out}: a twin of {found.scenario.name}, fitted to {len(found.experience)} transitions")


@twin.command()
@click.argument("run_dir", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option("--seeds", type=click.IntRange(1, 1000), default=10, show_default=True, metavar="N", help="Held out.")
@click.option("--seed", type=SEEDS, metavar="S", help="The first; else far from all others.")
@click.option("--periods", type=click.IntRange(2, 10**6), default=200, show_default=True, metavar="N", help="A seed.")
@click.option(
    "--held-periods",
    type=click.IntRange(1, 10**6),
    default=40,
    show_default=True,
    metavar="N",
    help="A seed and allocation.",
)
@click.option("--data", type=click.Path(path_type=Path), metavar="DATASET", help="Instead: what follows this record.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="For fidelity.json and figures.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def fidelity(
    run_dir: Path,
    seeds: int,
    seed: int | None,
    periods: int,
    held_periods: int,
    data: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure how true the twin in RUN_DIR is, a folder of `netsim twin fit` or a training of an agent in -dt.

    The simulator runs seeds that the twin has not learned from: PERIODS of each at random, and HELD-PERIODS of up to
    200 allocations, among them those near the best static one and near the twin's best. With --data, the data set that
    the twin was fitted to, the same network goes on instead from where its record ends, in ten blocks as long as that.
    """
    from netsim.beststatic import best_static
    from netsim.console import progress_bar
    from rl.figures import keep
    from rl.networks import single_thread
    from twin.console import print_fidelity
    from twin.fidelity import fidelity as measured
    from twin.fidelity_figures import drawings
    from twin.heldout import FIRST_SEED, LaterOn, Network, OtherSeeds
    from twin.keeping import twin_of
    from twin.predicting import OfTwin

    single_thread()
    made, scenario = twin_of(run_dir)
    first = FIRST_SEED if seed is None else seed
    network: Network = OtherSeeds(scenario, made.encoder, tuple(range(first, first + seeds)))
    if data is not None:
        network = LaterOn(data, scenario, made.encoder)
    with progress_bar(hidden=as_json) as progress:
        best = best_static(scenario, progress)
    found = measured(OfTwin(made, first), network, best, periods, held_periods)
    if out is not None:
        keep(out, "fidelity", found.to_dict(), drawings(found), force=True)
    if as_json:
        echo_json(found.to_dict())
    else:
        print_fidelity(found)
