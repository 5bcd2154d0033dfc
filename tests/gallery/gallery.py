"""All seeded bugs, and the run that shows which tests notice each."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

from tests.gallery import environments, radio, simulators
from tests.gallery.bug import Bug, ids_in, named
from tests.gallery.workbench import ROOT, Workbench, with_workbench

BUGS: tuple[Bug, ...] = (*environments.BUGS, *simulators.BUGS, *radio.BUGS)
EXAMPLES = 12
"""Examples that Hypothesis draws for each test."""
CONTROL = "no-bug"


@dataclass(frozen=True)
class Catch:
    """Who notices a bug."""

    bug: str
    ran: tuple[str, ...]
    """Tests that were run, without their parameters."""
    failed: tuple[str, ...]
    """Those of them that failed or went on for ever."""
    ids: tuple[str, ...]
    """Ids that the failed tests name."""

    def names_what_breaks(self, bug: Bug) -> list[str]:
        """The ids of what the bug breaks that a failed test names."""
        return [broken for broken in bug.breaks if broken in self.ids]


def catches(names: Sequence[str] = (), *, all_tests: bool = False) -> dict[str, Catch]:
    """What notices the bugs of these names, and under :data:`CONTROL` what fails without any bug.

    With ``all_tests`` every test meets every bug that the bug's own tests leave in doubt, else only its own do. Runs in
    a process of its own, in which numba is off.

    Raises
    ------
    RuntimeError
        That process failed; the message is what it said.
    """
    command = [sys.executable, "-m", "tests.gallery.gallery", *(["--all-tests"] if all_tests else []), *names]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": "0"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stdout[-3000:] + ran.stderr[-3000:])
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"bug"')]
    return {one["bug"]: Catch(**{key: v if key == "bug" else tuple(v) for key, v in one.items()}) for one in told}


def _work(names: Sequence[str], everywhere: bool, bench: Workbench) -> None:
    chosen = named(BUGS, names)
    items = list(bench.items)
    own = [test for test in items if any(_function(test) in _own(bug) for bug in chosen)]
    control = list(bench.try_out(_nothing, items if everywhere else own))
    sound = {outcome.test: outcome.cpu_s for outcome in control if outcome.outcome == "passed"}
    _tell(
        Catch(CONTROL, _functions(sound), _functions(o.test for o in control if o.test not in sound and o.caught), ())
    )
    for bug in chosen:
        tests = [test for test in sound if everywhere or _function(test) in _own(bug)]
        limits_s = {test: 2.0 + 4.0 * sound[test] for test in tests}
        failed = [o.test for o in bench.try_out(bug.put_in_place, tests, limits_s=limits_s) if o.caught]
        ids = sorted(set().union(*(ids_in(_words(bench, test)) for test in failed)))
        _tell(Catch(bug.name, _functions(tests), _functions(failed), tuple(ids)))


def _own(bug: Bug) -> set[str]:
    return {f"tests/{test}" for test in bug.tests}


def _function(test: str) -> str:
    return test.partition("[")[0]


def _functions(tests: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_function, tests)))  # type: ignore[call-overload]  # any iterable of names


def _words(bench: Workbench, test: str) -> str:
    return f"{test} {getattr(bench.items[test], 'function', None).__doc__ or ''}"


def _nothing() -> None:
    """No bug."""


def _tell(catch: Catch) -> None:
    sys.stdout.write(json.dumps(asdict(catch)) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> None:
    """The process without the compiler: writes a line of JSON for each bug."""
    everywhere = "--all-tests" in arguments
    names = [argument for argument in arguments if not argument.startswith("--")]
    files = sorted({f"tests/{test.partition('::')[0]}" for bug in named(BUGS, names) for test in bug.tests})
    folders = ["tests/unit/test_accounting.py", "tests/unit/test_radio_laws.py", "tests/unit/test_sla.py"]
    pool = [*folders, "tests/unit/test_simulation.py", "tests/property", "tests/differential"]
    with_workbench(pool if everywhere else files, partial(_work, names, everywhere), max_examples=EXAMPLES)


if __name__ == "__main__":
    main(sys.argv[1:])
