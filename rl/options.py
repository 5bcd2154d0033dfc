"""What commands of learning share: ranges of their options, and how they tell what came of them."""

import click

SEEDS = click.IntRange(0, (1 << 62) - 1)
FIRST_SEED = 1_000_000
"""Of the seeds on which policies are played and compared, none that a training uses by default."""
COUNT = click.IntRange(1, 10**9)


def notice(text: str) -> None:
    """What a user should know, on standard error."""
    click.echo(f"netsim: {text}", err=True)


def echo_json(value: object) -> None:
    """A result on standard output."""
    from netsim.files import to_json

    click.echo(to_json(value), nl=False)
