"""``netsim offline``: learning from recorded data alone, with a digital twin and without."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rl.options import COUNT, FIRST_SEED, SEEDS, echo_json, notice

if TYPE_CHECKING:
    from rl.offline_request import OfflineConfig, OfflineRequest
    from twin.offline import DataSet


@click.command()
@click.argument("data", nargs=-1, required=True, metavar="DATASET...", type=click.Path(path_type=Path))
@click.option(
    "--agent",
    default="ddqn",
    show_default=True,
    metavar="NAME",
    help="{dqn,ddqn,gan-ddqn,feature-ddqn}[-dt], one that is installed, or path/file.py:Class[-dt]",
)
@click.option(
    "--method",
    type=click.Choice(["plain", "cql", "bc"]),
    default="plain",
    show_default=True,
    help="The agent's own update, conservative Q-learning, or behaviour cloning.",
)
@click.option("--epochs", type=click.IntRange(0), default=200, show_default=True, metavar="N", help="Traversals.")
@click.option("--upsilon", type=float, metavar="X", help="Strength of the pull towards agent 2 (eq. 13), for -dt.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S", help="Seed of learning.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the training.")
@click.option("--resume", is_flag=True, help="Go on with the training in DIR from its newest checkpoint.")
@click.option("--force", is_flag=True, help="Replace the training in DIR.")
@click.option("--device", default="cpu", show_default=True, help="Where the networks are: cpu, cuda, cuda:1, ...")
@click.option("--hyper", multiple=True, metavar="KEY=VALUE", help="Override a hyper-parameter of the agent.")
@click.option("--training", multiple=True, metavar="KEY=VALUE", help="Override a setting, as caution=0.3.")
@click.option("--loop", multiple=True, metavar="KEY=VALUE", help="Override a setting of the twin that -dt names.")
@click.option("--folder", type=click.Path(path_type=Path), metavar="DIR", help="Where the scenario's files are.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def offline(
    data: tuple[Path, ...],
    agent: str,
    method: str,
    epochs: int,
    upsilon: float | None,
    seed: int,
    out: Path | None,
    resume: bool,
    force: bool,
    device: str,
    hyper: tuple[str, ...],
    training: tuple[str, ...],
    loop: tuple[str, ...],
    folder: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train an agent on DATASETs alone, folders of `netsim collect` or of `netsim run`.

    The network is not played; the greedy policy is looked at on held-out seeds, and nothing is learned from that. An
    agent in -dt begins with what it learned in a twin of the same data, and is held to it (Algorithm 2 of the paper).
    DIR is the folder of a training: agent:DIR plays it, `netsim evaluate DIR` compares it.
    """
    if (resume or force) and out is None:
        raise click.UsageError("--resume and --force need --out DIR")
    if resume and force:
        raise click.UsageError("--force replaces the training in DIR, --resume goes on with it: give one of them")
    from netsim.console import progress_bar
    from rl.offline import learn_offline
    from rl.offline_request import OfflineConfig
    from rl.settings import settings_of
    from twin.console import print_offline
    from twin.offline import DataSet, prior_of

    settings = settings_of("training", OfflineConfig, (*training, f"method={method}", f"epochs={epochs}"))
    found = DataSet.read(data, folder)
    pulled = loop if upsilon is None else (*loop, f"upsilon={upsilon}")
    request = _request(found, agent, hyper, settings, pulled, seed, device)
    prior = prior_of(found, request)
    with progress_bar(hidden=quiet or as_json, what="epochs") as progress:
        summary = learn_offline(request, out, prior=prior, resume=resume, force=force, progress=progress, notice=notice)
    if as_json:
        echo_json(summary)
    elif not quiet:
        print_offline(summary, out)


def _request(
    data: "DataSet",
    agent: str,
    hyper: tuple[str, ...],
    settings: "OfflineConfig",
    loop: tuple[str, ...],
    seed: int,
    device: str,
) -> "OfflineRequest":
    from rl.agents import agent_kind
    from rl.loops import parted
    from rl.settings import checked_device, settings_of
    from twin.offline import OfflineTwinConfig, request_of

    name = parted(agent)[0]
    config = settings_of(name, agent_kind(name).Config, hyper)
    around = settings_of("loop", OfflineTwinConfig, loop) if loop else None
    return request_of(data, agent, config, settings, around, seed, checked_device(device))


@click.command()
@click.argument("data", metavar="DATASET", type=click.Path(path_type=Path))
@click.argument("run_dirs", nargs=-1, required=True, metavar="RUN_DIR...", type=click.Path(path_type=Path))
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S", help="Seed of the estimates.")
@click.option("--periods", type=COUNT, default=200, show_default=True, metavar="N", help="Periods for each seed.")
@click.option(
    "--seeds", type=click.IntRange(2, 10_000), default=10, show_default=True, metavar="K", help="Held-out seeds."
)
@click.option("--setting", "settings", multiple=True, metavar="KEY=VALUE", help="As in fitted_q.epochs=50.")
@click.option("--folder", type=click.Path(path_type=Path), metavar="DIR", help="Where the scenario's files are.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar and no table.")
def ope(
    data: Path,
    run_dirs: tuple[Path, ...],
    seed: int,
    periods: int,
    seeds: int,
    settings: tuple[str, ...],
    folder: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell from DATASET alone what the agents in RUN_DIRs are worth, and how wrong that is on the simulator.

    Off-policy evaluation by fitted Q and by a twin that is fitted to the data: mean U of a period. Bias, root mean
    square error, rank correlation and regret over the policies say which of the two to believe.
    """
    from netsim.console import progress_bar
    from rl.greedy import HeldOutSeeds
    from rl.networks import single_thread
    from rl.settings import settings_of
    from twin.console import print_ope
    from twin.offline import DataSet
    from twin.ope import OpeConfig, evaluated

    single_thread()
    config = settings_of("ope", OpeConfig, settings)
    held_out = HeldOutSeeds(periods, FIRST_SEED, seeds)
    with progress_bar(hidden=quiet or as_json, what="policies") as progress:
        shown = evaluated(DataSet.read([data], folder), run_dirs, config, seed, held_out, progress)
    if as_json:
        echo_json(shown)
    elif not quiet:
        print_ope(shown)
