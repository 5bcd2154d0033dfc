"""The fenced blocks of a Markdown page, and what is to be done with each.

The first line of a block says it: a language, then words. A reader of the rendered page sees neither.

| first line | what is done |
|---|---|
| `python` | executed; all blocks of a page share one namespace. Functions named `test_...` are called. |
| `sh` | given to bash as a whole, in the page's folder; the first command that fails ends it |
| `text` | compared with what the block before it printed, by the rule of `comparing.py` |
| `text about` | the same, with numbers that may differ a little between machines |
| `yaml` | checked as a study if it has `runs`, as a scenario if it has `slices` and `name`, else as a part of `tiny` |
| `toml`, `json` | parsed |

Further words: `file=NAME` writes the block to a file of the page's folder (a python block is then not executed),
`exit=N` is the exit status of a sh block, `quick="OLD -> NEW; ..."` replaces budgets of a sh block, so that it takes
seconds, and `no-run="REASON"` leaves a block out. Commands of netsim in a block that is left out are still parsed.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("python", "sh", "text", "yaml", "toml", "json")
WORDS = {
    "python": {"file", "no-run"},
    "sh": {"exit", "quick", "no-run"},
    "text": {"about"},
    "yaml": {"file", "over", "no-check"},
    "toml": {"file"},
    "json": {"file"},
}
"""The words that each language may be followed by."""

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block. ``line`` is that of its first line of content in ``page``, counted from 1."""

    page: Path
    line: int
    language: str
    words: Mapping[str, str]
    text: str

    @property
    def place(self) -> str:
        """Where it begins, as editors jump to it."""
        return f"{self.page}:{self.line}"

    @property
    def left_out(self) -> str | None:
        """Why it is not run, if it is not."""
        return self.words.get("no-run")

    @property
    def quickened(self) -> str:
        """What is run of a sh block: its text with smaller budgets."""
        text = self.text
        for pair in filter(None, self.words.get("quick", "").split(";")):
            old, _, new = (part.strip() for part in pair.partition("->"))
            if old not in text:
                raise ValueError(f"{self.place}: quick replaces {old!r}, which is not there")
            text = text.replace(old, new)
        return text


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, directives of MyST such as ```` ```{math} ```` left out."""
    lines = page.read_text().splitlines()
    at = 0
    while at < len(lines):
        opened = FENCE.match(lines[at])
        at += 1
        if opened is None:
            continue
        first = at
        while at < len(lines) and not _closes(lines[at], opened["fence"]):
            at += 1
        if at == len(lines):
            raise ValueError(f"{page}:{first}: this block is not closed")
        indent = len(opened["indent"])
        text = "".join(f"{line[indent:]}\n" for line in lines[first:at])
        at += 1
        if not opened["info"].strip().startswith("{"):
            yield _block(page, first + 1, opened["info"], text)


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence) and set(bare) == {fence[0]}


def _block(page: Path, line: int, info: str, text: str) -> Block:
    try:
        language, *words = shlex.split(info)
    except ValueError:
        language, words = "", []
    if language not in LANGUAGES:
        raise ValueError(f"{page}:{line - 1}: a block begins with one of {', '.join(LANGUAGES)}, got {info.strip()!r}")
    given = {name: value for name, _, value in (word.partition("=") for word in words)}
    if unknown := set(given) - WORDS[language]:
        raise ValueError(f"{page}:{line - 1}: {language} takes {sorted(WORDS[language])}, got {sorted(unknown)}")
    return Block(page, line, language, given, text)
