"""``netsim whatif``: a recorded run as it would have gone on under another controller."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rl.options import COUNT, echo_json

if TYPE_CHECKING:
    from netsim.scenario import Scenario
    from twin.whatif import Continuing


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--at", type=COUNT, required=True, metavar="PERIOD", help="The first period that is decided anew.")
@click.option("--allocation", metavar="UNITS", help="This allocation from then on, as in 3,70,27.")
@click.option("--controller", metavar="NAME", help="This controller from then on.")
@click.option("--periods", type=COUNT, metavar="N", help="How many periods; without it all that were recorded.")
@click.option("--twin", "twin_dir", metavar="RUN_DIR", help="The twin that was fitted in RUN_DIR beside the simulator.")
@click.option("--folder", type=click.Path(path_type=Path), metavar="DIR", help="Where the scenario's files are.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, with those of every period.")
def whatif(
    run_dir: Path,
    at: int,
    allocation: str | None,
    controller: str | None,
    periods: int | None,
    twin_dir: str | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Show what RUN, a run directory of `netsim run`, would have come to under another allocation or controller.

    RUN is simulated again up to PERIOD, checked against its trace, and goes on both as recorded and otherwise, with the
    same packets and the same fading. Every figure is a mean over periods, SSR 1 in a period without packets as in U;
    differences are paired, period by period, with 95 % intervals.
    """
    if (allocation is None) == (controller is None):
        raise click.UsageError("give either --allocation UNITS or --controller NAME")
    from twin.console import print_what_if
    from twin.whatif import what_if

    chosen = f"fixed:{allocation}" if controller is None else controller
    plant = None if twin_dir is None else _twin(twin_dir)
    found = what_if(run_dir, chosen, at=at, periods=periods, twin=plant, files=folder)
    if as_json:
        echo_json(found.to_dict())
    else:
        print_what_if(found)


def _twin(text: str) -> "Callable[[Scenario], Continuing]":
    from twin.plant import load_plant

    return lambda scenario: load_plant(text, scenario)
