"""``netsim twin``: fitting a twin to recorded data, and how true it is."""

from pathlib import Path

import click


@click.group()
def twin() -> None:
    """Fit digital twins of recorded networks, and measure how true they are."""


@twin.command()
@click.argument("data", nargs=-1, required=True, metavar="DATASET...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The twin's folder.")
@click.option("--seed", type=click.IntRange(0, (1 << 62) - 1), default=0, show_default=True, metavar="S")
@click.option("--setting", "settings", multiple=True, metavar="KEY=VALUE", help="As in outcome.members=5.")
@click.option("--folder", type=click.Path(path_type=Path), metavar="DIR", help="Where the scenario's files are.")
@click.option("--json", "as_json", is_flag=True, help="Print how the fit went as JSON.")
def fit(
    data: tuple[Path, ...], out: Path, seed: int, settings: tuple[str, ...], folder: Path | None, as_json: bool
) -> None:
    """Fit a twin to DATASETs of one network, folders of `netsim collect` or of `netsim run`.

    Any controller and agent then plays on it: `netsim evaluate fixed:3,70,27 --scenario table1 --plant twin:DIR`.
    """
    from netsim.files import to_json
    from rl.networks import single_thread
    from rl.observation import Encoder
    from rl.settings import settings_of
    from twin.datasets import origin
    from twin.digital_twin import DigitalTwin, TwinConfig
    from twin.experience import Experience
    from twin.history import History
    from twin.keeping import keep

    single_thread()
    scenario = origin(data[0]).played_on(data[0], folder)
    encoder = Encoder.of(scenario)
    experience = Experience.of(History.read(*data), encoder)
    made = DigitalTwin.fit(experience, scenario, encoder, settings_of("twin", TwinConfig, settings), seed)
    fits = {"state": made.states.fitted, "outcome": made.outcomes.fitted}
    about = {
        "transitions": len(experience),
        "seed": seed,
        **{name: None if each is None else vars(each) for name, each in fits.items()},
    }
    keep(out, made, scenario, about)
    if as_json:
        click.echo(to_json(about), nl=False)
    else:
        click.echo(f"{out}: a twin of {scenario.name}, fitted to {len(experience)} transitions")
