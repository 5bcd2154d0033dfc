"""The key figures of a report in a terminal, as they change."""

import time
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from netsim.console import WIDTH
from netsim.faults import printable
from netsim.reports.document import Document
from netsim.reports.document import Table as Figures
from netsim.reports.folders import document_of
from netsim.watching.folder import Shown


def show(folder: Path, console: Console | None = None) -> None:
    """Show what a folder holds until it is finished.

    Raises
    ------
    InputError
        There is no report of the folder.
    """
    shown = Shown(folder, document_of)
    console = Console(highlight=False) if console is None else console
    if not console.is_terminal:  # nobody looks: lines are not cut
        console.width = max(console.width, WIDTH)
    with Live(view(shown.latest), console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        live.refresh()
        while shown.latest.unfinished:
            time.sleep(shown.wait_s)
            if shown.renew():
                live.update(view(shown.latest), refresh=True)


def view(document: Document) -> RenderableType:
    """A document's title, notices, key figures and tables."""
    notices = [*([document.unfinished] if document.unfinished else []), *document.warnings]
    facts = Table(show_header=False, box=None, pad_edge=False)
    for fact in document.facts:
        facts.add_row(*map(_safe, (fact.label, fact.value, fact.note)))
    tables = [_table(each) for section in document.sections for each in section.tables]
    return Group(f"[bold]{_safe(document.title)}[/bold]", *map(_safe, notices), "", facts, *tables)


def _table(figures: Figures) -> Table:
    """A table; one that is wider than high is turned, because a terminal is narrow and can be scrolled."""
    words = {0, *figures.words}
    lines = [figures.headings, *figures.rows]
    if is_turned := len(figures.headings) > len(lines):
        lines = list(zip(*lines, strict=True))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=_safe(figures.caption), title_justify="left")
    for place, heading in enumerate(lines[0]):
        is_words = place == 0 if is_turned else place in words
        table.add_column(_safe(heading), justify="left" if is_words else "right", no_wrap=not is_words)
    for row in lines[1:]:
        table.add_row(*map(_safe, row))
    return table


def _safe(text: str) -> str:
    return escape(printable(text))
