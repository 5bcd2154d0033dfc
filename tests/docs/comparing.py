"""Whether a command printed what a page shows.

Spaces at the end of lines and empty lines do not count. A line `...` stands for any number of lines, `...` within a
line for any text. In a block marked `about`, which shows what a learned network does or how long something took,
a number may differ by a tenth of it or by 0.05, and widths of columns with it: sums of products differ in their last
bits between kinds of processor, and what is learned from them a little more. Everything else is exact.
"""

import re
from collections.abc import Sequence

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SHARE, LEAST = 0.1, 0.05


def difference(shown: str, printed: str, *, about: bool = False) -> tuple[int, str] | None:
    """The first line of ``shown``, counted from 0, that was not printed, and what stood there instead; else None."""
    wanted = [(i, line) for i, line in enumerate(shown.splitlines()) if line.strip()]
    got = [line for line in printed.splitlines() if line.strip()]
    reached = _matched(wanted, got, about)
    if reached is None:
        return None
    line, there = reached
    return line, f"shown:   {shown.splitlines()[line].rstrip() if wanted else ''}\n    printed: {there}"


def _matched(wanted: Sequence[tuple[int, str]], got: Sequence[str], about: bool) -> tuple[int, str] | None:
    """Match greedily from one `...` to the next: the lines between have to follow each other."""
    at, free = 0, False
    for start, part in _parts(wanted):
        if start:
            free = True
        if not part:
            continue
        found = _placed(part, got, at, free, about)
        if isinstance(found, tuple):
            return found
        at, free = found, False
    if at < len(got) and not free:
        return (wanted[-1][0] if wanted else 0), f"{got[at].rstrip()}  (and nothing is shown for it)"
    return None


def _parts(wanted: Sequence[tuple[int, str]]) -> list[tuple[bool, list[tuple[int, str]]]]:
    """Runs of lines between `...`, each with whether a `...` stands before it."""
    parts: list[tuple[bool, list[tuple[int, str]]]] = [(False, [])]
    for i, line in wanted:
        if line.strip() == "...":
            parts.append((True, []))
        else:
            parts[-1][1].append((i, line))
    return parts


def _placed(
    part: Sequence[tuple[int, str]], got: Sequence[str], at: int, free: bool, about: bool
) -> int | tuple[int, str]:
    """Where the part ends in what was printed; else the first line that is wrong, where most of it fits."""
    best = (part[0][0], "nothing more")
    most = -1
    for start in range(at, len(got) if free else at + 1):
        fitting = 0
        while fitting < len(part) and start + fitting < len(got):
            if not same(part[fitting][1], got[start + fitting], about):
                break
            fitting += 1
        if fitting == len(part):
            return start + fitting
        if fitting > most:
            there = got[start + fitting].rstrip() if start + fitting < len(got) else "nothing more"
            best, most = (part[fitting][0], there), fitting
    return best


def same(shown: str, printed: str, about: bool) -> bool:
    """Whether a printed line is the one shown.

    >>> same("U 3.64 in ... s", "U 3.64 in 12 s", False), same("U 3.64", "U 3.65", False)
    (True, False)
    >>> same("U 3.64 ± 0.01", "U 3.70 ± 0.02", True), same("U 3.64", "U 2.64", True)
    (True, False)
    """
    shown, printed = shown.rstrip(), printed.rstrip()
    if not about:
        return re.fullmatch(_pattern(shown), printed) is not None
    wanted, got = NUMBER.findall(shown), NUMBER.findall(printed)
    if "..." in shown:  # numbers cannot be paired then
        return re.fullmatch(_pattern(_worded(shown)), _worded(printed)) is not None
    return _worded(shown) == _worded(printed) and all(map(_near, wanted, got))


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("..."))


def _worded(line: str) -> str:
    """The words of a line, each number a `#`, spaces and rules of one width."""
    return re.sub(r"─+", "─", re.sub(r" +", " ", NUMBER.sub("#", line))).strip()


def _near(shown: str, printed: str) -> bool:
    wanted = float(shown)
    return abs(float(printed) - wanted) <= max(LEAST, SHARE * abs(wanted))
