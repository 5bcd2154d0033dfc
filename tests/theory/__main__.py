"""What the theory suite reaches, as a Markdown table: ``python -m tests.theory [ID ...] [--figures]``."""

import math
import sys
from collections.abc import Iterator

from tests.theory.acceptance import Check, Exact, rejected
from tests.theory.case import Case
from tests.theory.cases import CASES
from tests.theory.faults import Fault

FAULTS = {Fault.LATE: "+1 slot", Fault.EARLY: "-1 slot", Fault.LEAK: "2 % leak", Fault.LOSS: "1 in 1000 lost"}


def main(arguments: list[str]) -> int:
    """Write the table of the cases asked for; returns how many did not do what they must."""
    asked = {argument for argument in arguments if not argument.startswith("-")}
    cases = [case for case in CASES if not asked or case.id in asked]
    rows = figures(cases) if "--figures" in arguments else overview(cases)
    for row in rows:
        sys.stdout.write("| " + " | ".join(row) + " |\n")
        sys.stdout.flush()
    return sum(not good(case) for case in cases)


def good(case: Case) -> bool:
    """Whether the case agrees with theory and rejects every fault that was planted."""
    results = case.results()
    return not rejected(results[None]) and all(rejected(results[fault]) for fault in results if fault)


def overview(cases: list[Case]) -> Iterator[list[str]]:
    """A row a case: its first figure, the worst of all, and by what each fault is rejected."""
    head = [
        "id",
        "case",
        "figure",
        "theory",
        "measured",
        "z",
        "half-width, %",
        "figures",
        "worst z",
        "worst half-width, %",
    ]
    yield from (head + list(FAULTS.values()), ["---"] * (len(head) + len(FAULTS)))
    for case in cases:
        results = case.results()
        checks = results[None]
        statistical = [check for check in checks if not isinstance(check, Exact)]
        first = statistical[0] if statistical else checks[0]
        worst_z = max((abs(check.z) for check in checks), default=0.0)
        worst_width = max((check.half_width for check in checks), default=0.0)
        yield [
            *(case.id, case.title, first.of, *described(first)),
            *(str(len(checks)), number(worst_z), f"{100 * worst_width:.2f}"),
            *(rejection(results[fault]) if fault in results else "n/a" for fault in FAULTS),
        ]


def figures(cases: list[Case]) -> Iterator[list[str]]:
    """A row a figure."""
    yield from (["id", "case", "figure", "theory", "measured", "z", "half-width, %"], ["---"] * 7)
    for case in cases:
        yield from ([case.id, case.title, check.of, *described(check)] for check in case.results()[None])


def described(check: Check) -> list[str]:
    """Theory, measured, z and half-width of a figure."""
    if isinstance(check, Exact):
        return [f"{check.expected:g}", f"{check.measured:g}", "exact", "0"]
    return [f"{check.expected:.6g}", f"{check.measured:.6g}", f"{check.z:+.2f}", f"{100 * check.half_width:.2f}"]


def rejection(checks: list[Check]) -> str:
    """The figure that rejects a fault most clearly: one with an error if there is one, else an exact one."""
    failing = rejected(checks)
    if not failing:
        return "**accepted**"
    finite = [check for check in failing if math.isfinite(check.z) and abs(check.z) > 4]
    if not finite:
        return f"{failing[-1].of} (exact)"
    most = max(finite, key=lambda check: abs(check.z))
    return f"{most.of} {most.z:+.0f}"


def number(z: float) -> str:
    """A z without its sign."""
    return f"{z:.2f}" if math.isfinite(z) else "inf"


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
