"""What the shell completes when Tab is pressed: names that are there, and files."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Completing = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _names_of(names: Callable[[], Iterable[str]]) -> Completing:
    """Names, or files where what was typed begins none of them."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]

    return complete


def _scenarios() -> Iterable[str]:
    from netsim.library import scenario_names

    return scenario_names()


def _studies() -> Iterable[str]:
    from netsim.library import study_names

    return study_names()


def listed(heading: str) -> Completing:
    """Completes what ``netsim list`` has under a heading."""

    def names() -> Iterable[str]:
        from netsim.listing import listing

        return [name for name, _ in listing(heading)]

    return _names_of(names)


def _headings() -> Iterable[str]:
    from netsim.listing import headings

    return headings()


scenarios, studies, headings = _names_of(_scenarios), _names_of(_studies), _names_of(_headings)
