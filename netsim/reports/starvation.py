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

    def pays(self, ssr: float, utility: float) -> bool:
        """Whether a slice of such an SSR pays for such a U."""
        return ssr < FULL * self.score(utility)


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
    """The slices that pay for U in stretches of equal length.

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
    found = zip(
        bins.starts.tolist(), bins.means(utility).tolist(), bins.sums(satisfied), bins.sums(resolved), strict=True
    )
    return [
        each
        for first, u, kept, all_ in found
        for each in _of_stretch(scale, names, slice(first, min(first + bins.width, bins.rows)), u, kept, all_)
    ]


def _of_stretch(
    scale: Scale, names: Sequence[str], rows: slice, utility: float, satisfied: Floats, resolved: Floats
) -> Iterator[Paying]:
    for n, name in enumerate(names):
        if resolved[n] < FEWEST_PACKETS:
            continue
        ssr = float(satisfied[n] / resolved[n])
        if scale.pays(ssr, utility):
            yield Paying(name, rows, ssr, utility, scale.score(utility))
