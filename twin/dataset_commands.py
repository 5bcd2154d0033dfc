"""``netsim dataset``: what a data set holds, and the same for others to read."""

from pathlib import Path

import click

from netsim import completion
from rl.options import echo_json


@click.group()
def dataset() -> None:
    """Look at data sets of `netsim collect`, export and import them; a run directory of `netsim run` is one too."""


@dataset.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON, with every run.")
def show(folder: Path, as_json: bool) -> None:
    """Print the data card of DIR: who played, what was tried, what came of it.

    Mean and quantiles are over controlled periods; those of arrivals are over all.
    """
    from twin.card import card
    from twin.console import print_card

    made = card(folder)
    if as_json:
        echo_json(made)
    else:
        print_card(made)


@dataset.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="Write a row per period.")
@click.option("--minari", "name", metavar="NAME", help="Make the Minari data set NAME, as in slicing/tiny-random-v0.")
@click.option(
    "--folder", "files", type=click.Path(path_type=Path), metavar="DIR", help="Where the scenario's files are."
)
@click.option("--force", is_flag=True, help="Replace FILE.")
def export(folder: Path, csv_file: Path | None, name: str | None, files: Path | None, force: bool) -> None:
    """Export DIR as CSV, or as a data set of Minari for offline reinforcement learning (extra: minari).

    In Minari an episode is a run, truncated at its end; the observation is what agents see, the action the number of
    the allocation, the reward U. Minari keeps its data sets in ~/.minari, or where MINARI_DATASETS_PATH says.
    """
    if (csv_file is None) == (name is None):
        raise click.UsageError("give either --csv FILE or --minari NAME")
    from twin.exporting import write_csv, write_minari

    if name is not None:
        made = write_minari(folder, name, files)
        click.echo(f"{made['folder']}: {made['steps']} steps in {made['episodes']} episodes")
    elif csv_file is not None:
        click.echo(f"{csv_file}: {write_csv(folder, csv_file, force=force)} periods")


@dataset.command("import")
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The data set, a new folder."
)
@click.option(
    "--scenario", metavar="SCENARIO", shell_complete=completion.scenarios, help="What was played, if NAME does not say."
)
def import_minari(name: str, out: Path, scenario: str | None) -> None:
    """Make a data set of the Minari data set NAME (extra: minari), to fit twins to and to learn from.

    Episodes whose infos hold every figure, as those of `netsim dataset export`, are taken as they are. Others, as those
    that Minari records of netsim/Slicing-v0, are played again from their seeds, and have to show the same observations.
    """
    from twin.importing import read_minari

    made = read_minari(name, out, scenario)
    runs = f"{made['runs']} run{'s' if made['runs'] > 1 else ''}"
    click.echo(f"{out}: {made['periods']} periods of {runs} on {made['scenario']}")
