"""Runs mutants against the tests that reach them, until one fails; then says what is left, and why."""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tests.gallery.patching import put_in_place
from tests.gallery.workbench import Workbench, with_workbench
from tests.mutation import survivors
from tests.mutation.mutants import MODULES, Mutant, mutants

QUICK = (
    "tests/differential/test_stories.py",
    "tests/unit/test_accounting.py",
    "tests/unit/test_slot_loop.py",
    "tests/unit/test_steps_of_efficiency.py",
    "tests/unit/test_sla.py",
    "tests/differential/test_base_station.py",
    "netsim/sla.py",
)
"""Tests that every mutant meets first."""
THOROUGH = (
    *QUICK,
    "tests/unit/test_simulation.py",
    "tests/differential/test_equal_ways.py",
)
"""Tests that the survivors meet after that, but for those that are listed as equivalent."""
STAGES = ((QUICK, 12), (THOROUGH, 25))
"""Tests, and how many examples Hypothesis draws for each."""
LONGEST_S = 60.0
"""A test that takes longer without the compiler is left out."""
PASS_MARK = 0.95


@dataclass(frozen=True)
class Result:
    """What became of a mutant: the test that killed it, or none."""

    key: str
    line: int
    operator: str
    nth: int
    killer: str | None
    how: str
    touches_bounds: bool


class Campaign:
    """All mutants of some modules against the suite, with results kept in a file."""

    def __init__(
        self, results: Path, modules: Sequence[str] | None, functions: Sequence[str] | None, again: bool, stages: int
    ) -> None:
        self.results = results
        self.modules = tuple(modules or MODULES)
        self.functions = functions
        self.again = again
        self.stages = stages
        self.listed = survivors.read()
        self.known: dict[tuple[str, str, int], Result] = {}

    def run(self) -> int:
        """Exit status: 0 if the pass mark is reached and every survivor is accounted for."""
        self._read()
        everything = [m for module in self.modules for m in mutants(module)]
        wanted = [m for m in everything if not self.functions or m.function in self.functions]
        _say(f"{len(wanted)} mutants of {', '.join(self.modules)}")
        todo = [m for m in wanted if self._is_open(m)]
        for tests, examples in STAGES[: self.stages]:
            if todo:
                self._in_a_process(tests, examples, todo)
            todo = [m for m in todo if self.known[_id(m)].killer is None and not self._is_equivalent(m)]
        return self._conclude([self.known[_id(m)] for m in wanted])

    def _in_a_process(self, tests: Sequence[str], examples: int, todo: Sequence[Mutant]) -> None:
        """Run a stage in a process of its own, because pytest collects properly only once in one."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with_workbench(tests, partial(self._work, todo), max_examples=examples, options=["--doctest-modules"])
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if status:
            raise RuntimeError("a stage failed; what it said stands above")
        self._read()

    def _is_equivalent(self, mutant: Mutant) -> bool:
        return mutant.key in self.listed and self.listed[mutant.key].equivalent

    def _is_open(self, mutant: Mutant) -> bool:
        known = self.known.get(_id(mutant))
        return known is None or (self.again and known.killer is None and not self._is_equivalent(mutant))

    def _work(self, todo: Sequence[Mutant], bench: Workbench) -> None:
        reach, cost_s = self._survey(bench)
        kills = Counter[str]()
        for number, mutant in enumerate(todo, 1):
            # Those first that killed most for their cost.
            tests = sorted(
                (t for t in cost_s if mutant.place in reach[t]), key=lambda t: (cost_s[t] + 0.1) / (kills[t] + 1)
            )
            limits_s = {test: 1.0 + 3.0 * cost_s[test] for test in tests}
            killer, how = None, "survived" if tests else "not reached by any test"
            change = partial(put_in_place, mutant.module, mutant.text)
            for outcome in bench.try_out(change, tests, limits_s=limits_s, stop=True):
                if outcome.caught:
                    killer, how = outcome.test, outcome.outcome
                    kills[killer] += 1
            self._keep(_result(mutant, killer, how))
            _say(f"{number}/{len(todo)} {how:8} {mutant.key}")

    def _survey(self, bench: Workbench) -> tuple[dict[str, frozenset[str]], dict[str, float]]:
        """Which functions each test calls, and its CPU time; without the tests that fail or last too long as it is."""
        everything = list(bench.items)
        limits_s = dict.fromkeys(everything, LONGEST_S)
        outcomes = list(bench.try_out(_nothing, everything, limits_s=limits_s, tracing=True))
        usable = [o for o in outcomes if o.outcome == "passed"]
        for outcome in outcomes:
            if outcome.caught:
                _say(f"left out, {outcome.outcome} as it is: {outcome.test}")
        _say(f"{len(usable)} of {len(outcomes)} tests, {sum(o.cpu_s for o in usable):.0f} s")
        return {o.test: o.called for o in usable}, {o.test: o.cpu_s for o in usable}

    # -- results ---------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        if self.results.exists():
            for line in self.results.read_text().splitlines():
                result = Result(**json.loads(line))
                self.known[result.key, result.operator, result.nth] = result

    def _keep(self, result: Result) -> None:
        self.known[result.key, result.operator, result.nth] = result
        self.results.parent.mkdir(parents=True, exist_ok=True)
        with self.results.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")

    def _conclude(self, results: Sequence[Result]) -> int:
        left = [result for result in results if result.killer is None]
        _say("\n| module | mutants | killed | survivors |\n|---|---|---|---|")
        for module in self.modules:
            of = [result for result in results if result.key.startswith(f"{module}:")]
            alive = sum(result.killer is None for result in of)
            _say(f"| {module} | {len(of)} | {len(of) - alive} | {alive} |")
        equivalent = [result for result in left if result.key in self.listed and self.listed[result.key].equivalent]
        killed, live = len(results) - len(left), len(results) - len(equivalent)
        unlisted = [result for result in left if result.key not in self.listed]
        bounds = [r for r in left if r.touches_bounds and not (r.key in self.listed and self.listed[r.key].equivalent)]
        _say(f"\nkilled {killed} of {len(results)} ({killed / len(results):.1%}), {len(equivalent)} are equivalent")
        _say(f"of the {live} that are not, {killed / live:.1%}; {_by(results)}")
        for title, some in (("not listed", unlisted), ("in a comparison or a number, and not equivalent", bounds)):
            for result in some:
                _say(f"{title}: {result.key} ({result.operator}, line {result.line})")
        return 0 if killed / live >= PASS_MARK and not unlisted and not bounds else 1


def _by(results: Sequence[Result]) -> str:
    how = Counter(result.how for result in results)
    return ", ".join(f"{name} {count}" for name, count in how.most_common())


def _nothing() -> None:
    """No change."""


def _result(mutant: Mutant, killer: str | None, how: str) -> Result:
    return Result(mutant.key, mutant.line, mutant.operator, mutant.nth, killer, how, mutant.touches_bounds)


def _id(mutant: Mutant) -> tuple[str, str, int]:
    return mutant.key, mutant.operator, mutant.nth


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
