"""The table of results in a README, made from what ``netsim study ... --publish results/NAME`` left.

``python -m netsim.studies.published README.md results`` writes it between two marks of the file.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netsim.console import decimals, number
from netsim.errors import InputError
from netsim.files import write_atomic
from netsim.studies.outcome import FORMAT, NAME, VERSION

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
NONE = "No study is kept here yet."


def read(folder: Path) -> dict[str, Any]:
    """A published study.

    Raises
    ------
    InputError
        It is none, or of another version.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_bytes())
        known = (found["format"], found["format_version"]) == (FORMAT, VERSION)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no study: {error}") from None
    if not known:
        raise InputError(f"{path} is not of the format {FORMAT} version {VERSION}; publish the study again")
    return found  # type: ignore[no-any-return]


def section(results: Path, link: str = "results") -> str:
    """All published studies, in the order of their folders' names; ``link`` is where they are for the reader."""
    folders = sorted(path.parent for path in results.glob(f"*/{NAME}"))
    return "\n\n".join(_told(read(folder), f"{link}/{folder.name}") for folder in folders) or NONE


def with_section(text: str, results: Path) -> str:
    """A README with the results in place of those it had.

    Raises
    ------
    InputError
        It has no place for them.
    """
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise InputError(f"the file needs a line {BEGIN} and after it a line {END}; the results go between them")
    return f"{before}{BEGIN}\n{section(results)}\n{END}{after}"


def _told(found: Mapping[str, Any], link: str) -> str:
    made, runs = found["made"], found["runs"]
    machine = made["machine"]
    where = f"{machine['cores']} cores of {machine['processor'] or machine['system']}"
    figures = ", ".join(f"[{each['figure']}]({link}/{each['figure']}.svg)" for each in found["figures"])
    lead = [
        f"**{link.rpartition('/')[2]}**: {_first_line(found['description'])}",
        f"{runs['finished']} of {runs['planned']} runs on {where}, {_commits(made)}",
    ]
    again = f"`{made['command']} --out studies/{link.rpartition('/')[2]}`"
    lines = [f"{' '.join(lead)}{f'; {figures}' if figures else ''}.", "", again]
    return "\n".join([*lines, *(["", *_table(found["claims"])] if found["claims"] else [])])


def _commits(made: Mapping[str, Any]) -> str:
    """Of which commit it all is; if of several, how many runs of each, and what concluded from them.

    >>> _commits({"commit": "a", "commits": {"a": 3}}), _commits({"commit": "a", "commits": {"b": 1, "c": 2}})
    ('commit a', 'of commits c (2) and b (1), concluded at a')
    """
    here = (made["commit"] or "unknown")[:12]
    by_count = sorted(made["commits"].items(), key=lambda item: -item[1])
    if [commit[:12] for commit, _ in by_count] in ([here], []):
        return f"commit {here}"
    if len(by_count) == 1:
        return f"of commit {by_count[0][0][:12]}, concluded at {here}"
    *first, last = (f"{commit[:12]} ({count})" for commit, count in by_count)
    return f"of commits {', '.join(first)} and {last}, concluded at {here}"


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def _table(claims: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| claim | effect | 95 % interval | pairs | p, Holm | verdict |"
    yield "|---|---|---|---|---|---|"
    for each in claims:
        low, high = each["ci95"] or (None, None)
        digits = decimals(each["effect"], low, high)
        ends = f"{number(low, digits)} .. {number(high, digits)}"
        name = each["claim"].replace("|", "\\|")
        cells = [name, number(each["effect"], digits), ends, each["pairs"], f"{each['p_holm']:.2g}", each["verdict"]]
        yield f"| {' | '.join(map(str, cells))} |"


def main(arguments: Sequence[str]) -> int:
    """Write the results into a README."""
    readme, results = (Path(each) for each in arguments)
    write_atomic(readme, with_section(readme.read_text(encoding="utf-8"), results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
