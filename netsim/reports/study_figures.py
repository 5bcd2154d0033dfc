"""The figures of a study: each of its panels by itself, so that it can be read on a phone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netsim.reports.charts import Level, Line, Panel
from netsim.reports.document import Figure
from netsim.reports.figures import figure
from netsim.reports.thinning import Bins
from netsim.reports.words import listed, significant, slug

VERDICTS = {"holds": "hold", "fails": "fail", "undecided": "are undecided"}
"""What claims do, as several of them do it."""
Groups = Mapping[str, Mapping[str, Any] | None]


def figures_of(found: Mapping[str, Any]) -> list[Figure]:
    """All panels of all figures that have something to show."""
    return [
        drawn
        for shown in found["figures"]
        for place, panel in enumerate(shown["panels"], 1)
        if (drawn := _drawn(shown, panel, place)) is not None
    ]


def _drawn(shown: Mapping[str, Any], panel: Mapping[str, Any], place: int) -> Figure | None:
    groups: Groups = panel["groups"]
    draw, tell = (_curves, _told_of_curves) if shown["kind"] == "curves" else (_points, _told_of_points)
    lines = list(draw(groups))
    if not lines:
        return None
    names = () if shown["kind"] == "curves" else tuple(groups)
    heading = ": ".join(part for part in (shown["title"] or shown["figure"], panel["heading"]) if part)
    drawn = Panel(heading, lines, (), shown["y_label"], x_names=names)
    return figure(
        f"{slug(shown['figure'])}-{place}",
        heading,
        tell(groups),
        [drawn],
        shown["x_label"] or "group",
        _thinned(groups),
    )


def _there(groups: Groups) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Groups that have runs, with their places, which decide their colours."""
    return ((kind, name, group) for kind, (name, group) in enumerate(groups.items()) if group is not None)


def _curves(groups: Groups) -> Iterator[Line]:
    for kind, name, group in _there(groups):
        bins = Bins.drawn(len(group["x"]))
        x, y = (bins.means(_array(group[key])) for key in ("x", "iqm"))
        low, high = (bins.means(_array(group[key])) if key in group else None for key in ("low", "high"))
        yield Line(f"{name} ({group['runs']})", x, y, low, high, kind)


def _points(groups: Groups) -> Iterator[Line]:
    for kind, name, group in _there(groups):
        low, high = group["ci95"] or (group["iqm"], group["iqm"])
        y, ends = _array([group["iqm"]]), (_array([low]), _array([high]))
        yield Line(f"{name} ({group['runs']})", np.array([float(kind)]), y, *ends, kind, "points")


def _array(values: Sequence[float | None]) -> Any:
    return np.array(values, np.float64)


def _told_of_curves(groups: Groups) -> str:
    ends = sorted(((group["iqm"][-1] or 0.0, name) for _, name, group in _there(groups)), reverse=True)
    return f"At the end: {listed(f'{name} {significant(value)}' for value, name in ends)}."


def _told_of_points(groups: Groups) -> str:
    middles = (f"{name} {significant(group['iqm'])}" for _, name, group in _there(groups))
    return f"Interquartile means: {listed(middles)}."


def _thinned(groups: Groups) -> str:
    width = max((Bins.drawn(len(group["x"])).width for _, _, group in _there(groups) if "x" in group), default=1)
    return f"Each point is the mean of {width} neighbours." if width > 1 else ""


def effects(claims: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """The effects of claims less their margins, with their intervals, by measure."""
    measures = dict.fromkeys(claim["measure"] for claim in claims)
    places = [str(place) for place in range(1, len(claims) + 1)]
    panels = [
        Panel(name, _effects(claims, name), [Level("margin", 0.0)], "effect", x_names=places) for name in measures
    ]
    panels = [panel for panel in panels if panel.lines]
    told = listed(f"{sum(claim['verdict'] == each for claim in claims)} {said}" for each, said in VERDICTS.items())
    heading = "Effects with their 95 % intervals"
    about = "Effects less margins, by the numbers of the claims: above the line one holds, below it one fails."
    return [figure("effects", heading, f"Of {len(claims)} claims: {told}.", panels, "claim", about)] if panels else []


def _effects(claims: Sequence[Mapping[str, Any]], measure: str) -> list[Line]:
    """The claims of a measure, each at its place in the table."""
    there = {
        place: claim
        for place, claim in enumerate(claims)
        if claim["measure"] == measure and claim["effect"] is not None
    }
    if not there:
        return []
    effect = _array([claim["effect"] - claim["margin"] for claim in there.values()])
    ends = [claim["ci95"] or [claim["effect"]] * 2 for claim in there.values()]
    margins = _array([claim["margin"] for claim in there.values()])
    low, high = (_array([each[side] for each in ends]) - margins for side in (0, 1))
    return [Line("effect", _array(list(there)), effect, low, high, form="points")]
