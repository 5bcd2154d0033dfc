"""Do what a new user does: make an empty virtual environment, install slicetwin as the README says, and type the
commands of the README and of the tutorial, in order, in an empty folder.

    python -m tests.docs.walk            # with a new virtual environment
    python -m tests.docs.walk --here     # in the environment of this interpreter, where slicetwin is installed

Ends with status 1 at the first line that does not end as the text says, told with file and line. The commands come from
the pages; Python blocks that they need are written to files. The tutorial needs nothing else, so all of its blocks are
played, as in the tests of pages; the README's first block installs and tests: of it the walk does the first line.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.docs.blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = (README, ROOT / "docs" / "tutorial.md")


def installed(folder: Path) -> Path:
    """An empty virtual environment in which the README's first command was carried out; its Python."""
    venv.create(folder, with_pip=True)
    first = next(block for block in blocks(README) if block.language == "sh")
    command = first.text.splitlines()[0]
    say(f"+ {command}")
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=ROOT, env=environment, check=True)
    return programs / "python"


def walked(python: Path, folder: Path) -> int:
    """Type the commands of each page, of all at once; the first status that is not 0, else 0."""
    walks = []
    for page in PAGES:
        words = ["-W", "error", "-m", "tests.docs.playing", str(page), str(folder / page.stem)]
        typed = ["--typed"] if page == README else []
        walks.append(subprocess.Popen([str(python), *words, *typed], cwd=ROOT, stdout=subprocess.PIPE, text=True))
    for page, walk in zip(PAGES, walks, strict=True):
        said, _ = walk.communicate()
        say(f"+ {page.relative_to(ROOT)}\n{said.rstrip()}")
    return next((walk.returncode for walk in walks if walk.returncode), 0)


def say(line: str) -> None:
    """On standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Walk, and return the exit status."""
    parser = argparse.ArgumentParser(description="Type the commands of README and tutorial as a new user.")
    parser.add_argument("--here", action="store_true", help="in the environment of this interpreter")
    here = parser.parse_args().here
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walk-")))
        python = Path(sys.executable) if here else installed(folder / "venv")
        return walked(python, folder)


if __name__ == "__main__":
    sys.exit(main())
