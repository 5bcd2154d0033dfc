"""The commands that this package adds to ``netsim``. Nothing heavy is imported before a command needs it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netsim import completion
from rl.options import COUNT, FIRST_SEED, SEEDS, echo_json, notice

if TYPE_CHECKING:
    from rl.training import Request


@click.command()
@click.argument("scenario", shell_complete=completion.scenarios)
@click.option(
    "--agent",
    default="ddqn",
    show_default=True,
    metavar="NAME",
    shell_complete=completion.listed("agents"),
    help="{dqn,ddqn,gan-ddqn,feature-ddqn}[-dt], one that is installed, or path/file.py:Class[-dt]",
)
@click.option("--interactions", type=COUNT, default=10_000, show_default=True, metavar="N", help="Periods to spend.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S", help="Seed of network and learning.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the training.")
@click.option("--resume", is_flag=True, help="Go on with the training in DIR from its newest checkpoint.")
@click.option("--force", is_flag=True, help="Replace the training in DIR.")
@click.option("--device", default="cpu", show_default=True, help="Where the networks are: cpu, cuda, cuda:1, ...")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the scenario.")
@click.option("--hyper", multiple=True, metavar="KEY=VALUE", help="Override a hyper-parameter of the agent.")
@click.option("--training", multiple=True, metavar="KEY=VALUE", help="Override a setting of the training.")
@click.option("--loop", multiple=True, metavar="KEY=VALUE", help="Override a setting of the loop that -dt names.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def train(
    scenario: str,
    agent: str,
    interactions: int,
    seed: int,
    out: Path | None,
    resume: bool,
    force: bool,
    device: str,
    overrides: tuple[str, ...],
    hyper: tuple[str, ...],
    training: tuple[str, ...],
    loop: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Train an agent on SCENARIO, and show how good its greedy policy has become.

    `netsim train table1 --agent ddqn --hyper learning_rate=1e-3 --training evaluate_every=250 --out runs/ddqn` keeps
    metrics and checkpoints in runs/ddqn; the controller agent:runs/ddqn then plays the greedy policy.
    """
    if (resume or force) and out is None:
        raise click.UsageError("--resume and --force need --out DIR")
    if resume and force:
        raise click.UsageError("--force replaces the training in DIR, --resume goes on with it: give one of them")
    from rl.console import learning_bar, print_training
    from rl.settings import settings_of
    from rl.training import TrainingConfig, train

    asked = settings_of("training", TrainingConfig, (*training, f"interactions={interactions}"))
    request = _request(scenario, overrides, agent, hyper, loop, asked, seed, device)
    with learning_bar(hidden=quiet or as_json) as progress:
        summary = train(request, out, resume=resume, force=force, progress=progress, notice=notice)
    if as_json:
        echo_json(summary)
    elif not quiet:
        print_training(summary, out)


def _request(
    scenario: str,
    overrides: tuple[str, ...],
    agent: str,
    hyper: tuple[str, ...],
    loop: tuple[str, ...],
    asked: Any,
    seed: int,
    device: str,
) -> "Request":
    from netsim.loading import load_scenario
    from rl.agents import agent_kind
    from rl.loops import loops, parted
    from rl.settings import checked_device, settings_of
    from rl.training import Request

    name, around = parted(agent)
    config = settings_of(name, agent_kind(name).Config, hyper)
    if around is None and loop:
        raise click.UsageError(f"--loop is for agents in a loop, as {agent}-dt; {agent} runs in none")
    settings = None if around is None else settings_of(around, loops()[around].Config, loop)
    return Request(load_scenario(scenario, overrides), agent, config, asked, seed, checked_device(device), settings)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "--scenario",
    metavar="NAME",
    shell_complete=completion.scenarios,
    help="What to play on; without it what the first TARGET was trained or run on.",
)
@click.option("--periods", type=COUNT, default=500, show_default=True, metavar="N", help="Periods for each seed.")
@click.option("--seed", type=SEEDS, default=FIRST_SEED, show_default=True, metavar="S", help="The first seed.")
@click.option("--seeds", type=click.IntRange(1, 10_000), default=10, show_default=True, metavar="K", help="How many.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the scenario.")
@click.option("--plant", metavar="NAME:TEXT", help="What to play on instead of the simulator, as twin:RUN_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, of several targets as a list.")
@click.option("--quiet", is_flag=True, help="No progress bar and no table.")
def evaluate(
    targets: tuple[str, ...],
    scenario: str | None,
    periods: int,
    seed: int,
    seeds: int,
    overrides: tuple[str, ...],
    plant: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Play TARGETs, folders of trainings, students or runs or any controllers, on held-out seeds beside best-static.

    Of a run its controller is played, on its scenario. All controllers meet the same packets and the same fading, so
    their figures can be compared. Of several trainings of one agent the mean over trainings is shown too.
    """
    from netsim.console import progress_bar
    from rl.console import print_evaluation, print_trainings
    from rl.evaluation import evaluate as play
    from rl.targets import loaded, plugins_of, target_of

    asked = [target_of(target) for target in targets]
    on, plugins = loaded(asked, scenario, overrides), plugins_of(asked)
    controllers = [each.controller for each in asked]
    with progress_bar(hidden=quiet or as_json) as progress:
        figures = play(
            on,
            controllers,
            periods=periods,
            first_seed=seed,
            seeds=seeds,
            plant=plant,
            plugins=plugins,
            progress=progress,
        )
    if as_json:
        echo_json(figures if len(figures) > 1 else figures[0])
    elif not quiet and len(figures) == 1:
        print_evaluation(figures[0])
    elif not quiet:
        print_trainings(figures, [each.agent for each in asked])


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the files go.")
@click.option("--onnx", is_flag=True, help="Write policy.onnx too.")
@click.option("--force", is_flag=True, help="Replace the policy in DIR.")
def export(run_dir: Path, out: Path, onnx: bool, force: bool) -> None:
    """Write the agent or student in RUN_DIR as plain numpy (policy.py, policy.npz), and as ONNX.

    The files are checked to choose what the agent chooses in a thousand states.
    """
    from rl.export import FILES
    from rl.export import export as write
    from rl.records import clear
    from rl.students import load_policy

    policy = load_policy(run_dir)  # before an earlier policy is gone
    clear(out, force, "policy", FILES)
    echo_json(write(policy, out, onnx=onnx))


COMMANDS = (train, evaluate, export)
