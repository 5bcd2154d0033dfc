"""Play a page: run its blocks in order, as a reader would, and stop at the first that does not end as the page says.

`python -m tests.docs.playing PAGE FOLDER` plays PAGE in FOLDER, which should be empty; with `--typed` only what is
typed into a shell, and the files that it needs.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tests.docs.blocks import Block, blocks
from tests.docs.comparing import difference

ROOT = Path(__file__).resolve().parents[2]
BESIDE = ("examples", "scenarios")
"""What the READMEs of the repository find beside them."""
LANGUAGES = ("python", "sh", "yaml", "toml", "json")


class DiffersError(Exception):
    """A page says otherwise. Begins with file and line."""


def play(page: Path, folder: Path, languages: Collection[str] = LANGUAGES) -> int:
    """Play the blocks of a page that are in one of the languages, or files, and return how many were run.

    Raises
    ------
    DiffersError
        A block does not end as the page says.
    """
    played, printed = 0, None
    names: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks(page):
        if block.language == "text":
            _compare(block, printed)
            printed = None
        elif not (block.language in languages or "file" in block.words) or block.left_out is not None:
            printed = None
        else:
            printed = _played(block, folder, names)
            played += 1
    return played


def _played(block: Block, folder: Path, names: dict[str, Any]) -> str | None:
    """What a block printed."""
    if "file" in block.words:
        _write(folder / block.words["file"], block.text)
    if block.language == "sh":
        return _shell(block, folder)
    if block.language == "python" and "file" not in block.words:
        return _python(block, folder, names)
    if block.language == "yaml" and "no-check" not in block.words:
        _checked(block, folder)
    elif block.language in ("toml", "json"):
        (tomllib if block.language == "toml" else json).loads(block.text)
    return None


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _compare(block: Block, printed: str | None) -> None:
    found = None if printed is None else difference(block.text, printed, about="about" in block.words)
    if found is not None:
        line, told = found
        raise DiffersError(f"{block.page}:{block.line + line}: printed otherwise\n    {told}")


# -- a shell ---------------------------------------------------------------------------------------------------------


def _shell(block: Block, folder: Path) -> str:
    """Run a block in bash; standard output and standard error as a reader sees them, together."""
    trap = "trap 'echo \"__failed_line $LINENO\" >&2' ERR"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{trap}; {block.quickened}"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    failed = [int(line.split()[1]) for line in lines if line.startswith("__failed_line ")]
    printed = "".join(f"{line}\n" for line in lines if not line.startswith("__failed_line "))
    if done.returncode != (expected := int(block.words.get("exit", "0"))):
        line = block.line + (failed[0] - 1 if failed else 0)
        raise DiffersError(f"{block.page}:{line}: exit status {done.returncode}, not {expected}\n{printed}")
    return printed


def environment() -> dict[str, str]:
    """That of this process, with the programs of this interpreter first and no colours or width of a terminal."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    return {**kept, "PATH": programs, "TERM": "dumb"}


# -- Python ----------------------------------------------------------------------------------------------------------


def _python(block: Block, folder: Path, names: dict[str, Any]) -> str:
    """Execute a block in the page's namespace, and the tests that it defines."""
    before = set(names)
    printed = io.StringIO()
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
            exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), names)
            for name in sorted(set(names) - before):
                if name.startswith("test_"):
                    names[name]()
    except Exception as error:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(block.page)
        ]
        place = f"{block.page}:{lines[-1] if lines else getattr(error, 'lineno', None) or block.line}"
        raise DiffersError(f"{place}: {type(error).__name__}: {error}") from error
    return printed.getvalue()


# -- scenarios and studies ---------------------------------------------------------------------------------------------


def _checked(block: Block, folder: Path) -> None:
    from netsim.errors import ScenarioError

    try:
        check_yaml(block, folder)
    except ScenarioError as error:
        raise DiffersError(f"{block.place}: {error}") from error


def check_yaml(block: Block, folder: Path | None = None) -> None:
    """Check a block as a study, a scenario, or a part of one.

    Raises
    ------
    ScenarioError
        It is none.
    """
    from ruamel.yaml import YAML

    from netsim.loading import dump_scenario, load_scenario, parse_scenario
    from netsim.studies.loading import parse_study
    from netsim.studies.plan import plan

    content = YAML(typ="safe").load(block.text)
    if "runs" in content:
        plan(parse_study(block.text, str(block.page)))
    elif {"slices", "name"} <= set(content):
        parse_scenario(block.text, str(block.page), folder=folder)
    else:
        whole = YAML(typ="safe").load(dump_scenario(load_scenario(block.words.get("over", "tiny"))))
        text = io.StringIO()
        YAML(typ="safe").dump(_over(whole, content), text)
        parse_scenario(text.getvalue(), f"{block.place} over {block.words.get('over', 'tiny')}", folder=folder)


def _over(whole: Any, part: Any) -> Any:
    """A mapping with the keys of another over its own. What names its kind is replaced as a whole."""
    if not isinstance(whole, dict) or not isinstance(part, dict) or {"kind", "model", "distribution"} & set(part):
        return part
    return {**whole, **{key: _over(whole.get(key), value) for key, value in part.items()}}


# -- a page ----------------------------------------------------------------------------------------------------------


def prepared(page: Path, folder: Path) -> None:
    """Make the folder of a page ready: a README finds beside it what it finds in the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    if page.name == "README.md":
        for name in BESIDE:
            (folder / name).symlink_to(ROOT / name)


@contextlib.contextmanager
def fresh_cache(folder: Path) -> Iterator[None]:
    """No measured baselines, as at first use; what was compiled stays."""
    from netsim.files import cache_root

    folder.mkdir(parents=True)
    kernels = cache_root() / "kernels"
    kernels.mkdir(parents=True, exist_ok=True)
    (folder / "kernels").symlink_to(kernels)
    before = os.environ.get("SLICETWIN_CACHE")
    os.environ["SLICETWIN_CACHE"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("SLICETWIN_CACHE") if before is None else os.environ.__setitem__("SLICETWIN_CACHE", before)


def few_examples() -> None:
    """Hypothesis draws ten examples, unless the page says how many."""
    with contextlib.suppress(ImportError):
        from hypothesis import settings

        settings.register_profile("pages", max_examples=10, derandomize=True, database=None)
        settings.load_profile("pages")


def main() -> int:
    """Play a page, and say what differs."""
    parser = argparse.ArgumentParser(description="Play a page.")
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--typed", action="store_true", help="only what is typed into a shell")
    asked = parser.parse_args()
    page, folder = asked.page, asked.folder
    few_examples()
    prepared(page, folder / "page")
    sys.path.insert(0, str(folder / "page"))
    with fresh_cache(folder / "cache"):
        try:
            played = play(page, folder / "page", ("sh",) if asked.typed else LANGUAGES)
        except DiffersError as error:
            sys.stdout.write(f"{error}\n")
            return 1
    sys.stdout.write(f"{page}: {played} blocks end as it says\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
