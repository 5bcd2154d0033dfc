"""When a slice pays for U: the sum looks good although one of the slices in it was starved.

U adds up what slices get, so that the gain of one can hide the loss of another. How good a U looks is measured on the
scale of its reward: u = (U - gmin) / (gmax - gmin), within 0..1, where gmin is what random allocations bring and gmax
what counts as good. A slice pays for U where its own SSR is below 0.9 u.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netsim.reports.thinning import Bins, Floats

FULL = 0.9
"""The SSR that a slice must have where U is as good as it need be."""
FEWEST_PACKETS = 100
"""Over fewer than these an SSR says little: at 0.97 it is 0.9 or less by chance one time in a thousand."""
STRETCHES = 20
"""Parts of a run that are looked at by themselves."""


PAYS = (
    "Slice {name} pays for U. Its SSR is {ssr}, although U is {utility:.3f}, {percent:.0f} % of the way from random to "
    "good. Look at the worst slice before calling it good."
)
"""The warning."""


@dataclass(frozen=True)
class Scale:
    """What U is measured by."""

    gmin: float
    gmax: float
    origin: str
    """Where the two are from, in words."""

    def score(self, utility: float) -> float:
        """How far U has come from random to good, within 0..1.

        >>> Scale(2.0, 3.0, "").score(2.75)
        0.75
        """
        if self.gmax <= self.gmin:
            return float(utility >= self.gmax)
        return min(1.0, max(0.0, (utility - self.gmin) / (self.gmax - self.gmin)))


@dataclass(frozen=True)
class Paying:
    """A slice that pays for U in a stretch of rows."""

    name: str
    rows: slice
    ssr: float
    utility: float
    score: float


def paying(
    scale: Scale, names: Sequence[str], utility: Floats, satisfied: Floats, resolved: Floats, stretches: int = STRETCHES
) -> list[Paying]:
    """The slices that pay for U in some of several stretches of equal length; neighbouring ones are told as one.

    Parameters
    ----------
    utility
        U of each period, shape ``(T,)``.
    satisfied, resolved
        Packets of each period and slice, shape ``(T, N)``.
    stretches
        How many at most; 1 looks at the run as a whole.
    """
    bins = Bins(len(utility), stretches)
    scores = [scale.score(each) for each in bins.means(utility).tolist()]
    kept, told = bins.sums(satisfied), bins.sums(resolved)
    found = []
    for n, name in enumerate(names):
        starved = [_starved(*each) for each in zip(scores, kept[:, n], told[:, n], strict=True)]
        for first, end in _spells(starved):
            rows = slice(first * bins.width, min(end * bins.width, bins.rows))
            ssr, mean = float(satisfied[rows, n].sum() / resolved[rows, n].sum()), float(utility[rows].mean())
            found.append(Paying(name, rows, ssr, mean, scale.score(mean)))
    return sorted(found, key=lambda each: each.rows.start)


def _starved(score: float, satisfied: float, resolved: float) -> bool:
    return resolved >= FEWEST_PACKETS and satisfied < FULL * score * resolved


def _spells(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First place and end of each row of true flags.

    >>> list(_spells([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    begun: int | None = None
    for place, flag in enumerate([*flags, False]):
        if flag and begun is None:
            begun = place
        if not flag and begun is not None:
            yield begun, place
            begun = None
