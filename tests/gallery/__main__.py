"""``python -m tests.gallery``: a Markdown table of the seeded bugs and the tests that notice them.

With names of bugs only of those; with ``--all-tests`` every bug meets every test that runs without the compiler, which
takes an hour or more.
"""

import sys
from collections.abc import Sequence

from tests.gallery.bug import named
from tests.gallery.gallery import BUGS, catches


def main(arguments: Sequence[str]) -> int:
    """Exit status: 1 if a bug is noticed by fewer than two tests, or by none that names what it breaks."""
    names = [argument for argument in arguments if not argument.startswith("--")]
    found = catches(names, all_tests="--all-tests" in arguments)
    lines = ["| bug | seen in | invariant named | tests that fail | two of them |", "|---|---|---|---|---|"]
    missed = 0
    for bug in named(BUGS, names):
        catch = found[bug.name]
        ids = catch.names_what_breaks(bug)
        missed += len(catch.failed) < 2 or not ids
        two = "<br>".join(f"`{test.rpartition('::')[2]}`" for test in catch.failed[:2])
        count = f"{len(catch.failed)} of {len(catch.ran)}"
        lines.append(f"| {bug.name} | {bug.origin} | {', '.join(ids) or '**none**'} | {count} | {two} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
