"""The commands that this package adds to ``netsim``. Nothing heavy is imported before a command needs it."""

from pathlib import Path

import click

from netsim import completion
from rl.options import COUNT, SEEDS
from twin.dataset_commands import dataset
from twin.offline_command import offline, ope
from twin.twin_commands import twin
from twin.whatif_command import whatif


@click.command()
@click.argument("scenario", shell_complete=completion.scenarios)
@click.option("--controller", default="random", show_default=True, metavar="NAME", help="Who decides the allocation.")
@click.option("--periods", type=COUNT, default=1000, show_default=True, metavar="N", help="Controlled periods.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S", help="Seed of the run.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The data set to append to.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the scenario.")
@click.option("--quiet", is_flag=True, help="No progress bar and no report.")
def collect(
    scenario: str, controller: str, periods: int, seed: int, out: Path, overrides: tuple[str, ...], quiet: bool
) -> None:
    """Run SCENARIO and append what happened, period by period, to the data set in DIR.

    Configuration (allocation), state (arrivals, backlog) and performance (SSR, SE, U, delay) are kept as Parquet. A
    data set holds runs of one scenario; a run that is killed loses at most its last hundred periods.

    Controllers that try things out: random, explore:0.2/agent:RUN_DIR (random with probability 0.2), narrow:3,70,27/5
    (random within 5 units of an allocation), "mixed:random|best-static" (one of them drawn for each period).
    """
    import netsim
    from netsim.console import progress_bar
    from twin.history import History
    from twin.recorder import Recorder

    loaded = netsim.load_scenario(scenario, overrides)
    with Recorder(out, controller=controller) as recorder, progress_bar(hidden=quiet) as progress:
        netsim.run(loaded, controller, periods=periods, seed=seed, plugins=[recorder], progress=progress)
    if not quiet:
        history = History.read(out)
        runs = int(history.run.max()) + 1
        click.echo(f"{out}: {len(history)} periods of {runs} run{'s' if runs > 1 else ''}")


COMMANDS = (collect, dataset, whatif, twin, offline, ope)
