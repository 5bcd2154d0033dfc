"""The pages that have blocks, and what their text names."""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from tests.docs.blocks import Block, blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / folder / "README.md" for folder in (".", "rl", "twin", "tests")),
    ]
)
"""All of them; `_build` has none, because no build is made there."""

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OBJECT = re.compile(r"(?:netsim|rl|twin)(?:\.[A-Za-z_]\w*)+")
FILE = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|json|toml)")


def spans(page: Path) -> Iterator[tuple[int, str]]:
    """What stands in backquotes in running text, with its line, counted from 1."""
    inside: str | None = None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.match(r"\s*(`{3,}|~{3,})", line)
        if fence and inside is None:
            inside = fence[1]
        elif inside is not None:
            inside = None if line.strip() == inside else inside
        else:
            yield from ((number, found[1].replace(r"\|", "|")) for found in CODE.finditer(line))


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an object of one: a field of a model or a dataclass too."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return part in getattr(found, "model_fields", {}) or part in getattr(found, "__annotations__", {})
            found = getattr(found, part)
        return True
    return False


def commands_in(block: Block) -> Iterator[tuple[int, list[str]]]:
    """The words after `netsim` of each such command of a sh block, with its line; a variable counts as 1."""
    joined = re.sub(r"\$\w+", "1", block.text.replace("\\\n", "  "))
    for number, line in enumerate(joined.splitlines(), block.line):
        for part in re.split(r"&&|\|\||[|;)]", _without_quotes(line).split(" #")[0]):
            start = re.search(r"(?:^|\s|\()netsim\s", part)
            if start:
                yield number, _restored(shlex.split(part[start.end() :].split(">")[0]))


def _without_quotes(line: str) -> str:
    """The line with separators in quotes put out of the way."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", lambda m: m[0].translate(str.maketrans("|;&>#", "\1\2\3\4\5")), line)


def _restored(words: list[str]) -> list[str]:
    return [word.translate(str.maketrans("\1\2\3\4\5", "|;&>#")) for word in words]


def refusal(words: list[str]) -> str | None:
    """Why `netsim` would refuse a command line at once; `None` if it would not. Nothing is run."""
    from netsim.cli import netsim

    context = click.Context(netsim, info_name="netsim")
    command: click.Command | None = netsim
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.get_command(context, words[0]), words[1:]
    if command is None:
        return "there is no such command"
    try:
        command.make_context("netsim", list(words), parent=context)
    except click.exceptions.Exit:
        return None
    except click.ClickException as error:
        return error.format_message()
    return None


def all_blocks() -> Iterator[Block]:
    """The blocks of all pages."""
    for page in PAGES:
        yield from blocks(page)
