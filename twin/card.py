"""What a data set holds, at a glance: who played, what was tried, and what came of it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim import allocations
from twin.datasets import Origin, origin
from twin.history import History

QUANTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}


def card(folder: str | Path) -> dict[str, Any]:
    """The card of a data set or of a run directory, as plain values.

    Allocations, U, SSR and latency are of controlled periods: period 0 of a run, under the scenario's initial
    allocation, is left out. Arrivals do not depend on the controller, so theirs are of all periods. A figure is
    ``None`` where there is nothing to make it from.

    Raises
    ------
    InputError
        The folder holds no data, or it is damaged.
    """
    history, about = History.read(folder), origin(Path(folder))
    controlled = history.period > 0
    slices = {name: _slice(history, controlled, n) for n, name in enumerate(history.slices)}
    return {
        "scenario": about.scenario["name"],
        "scenario_hash": about.scenario_hash,
        "units": history.units,
        "periods": len(history),
        "transitions": len(history.starts),
        "runs": [_run(history, about, run) for run in np.unique(history.run)],
        "allocations": _coverage(history, controlled),
        "utility": _spread(history.utility[controlled]),
        "se_capacity": _spread(history.se_capacity[controlled]),
        "slices": slices,
    }


def _run(history: History, about: Origin, run: int) -> dict[str, Any]:
    told = about.runs[run]
    mine = history.run == run
    utility = history.utility[mine & (history.period > 0)]
    return {
        "run": int(run),
        "seed": told["seed"],
        "controller": told["controller"],
        "periods": int(mine.sum()),
        "utility": float(utility.mean()) if utility.size else None,
    }


def _coverage(history: History, controlled: NDArray[np.bool_]) -> dict[str, Any]:
    """How many of all allocations were tried."""
    distinct = len(np.unique(history.allocation[controlled], axis=0))
    there = allocations.count(history.units, len(history.slices))
    return {"distinct": distinct, "of": there, "share": distinct / there}


def _slice(history: History, controlled: NDArray[np.bool_], n: int) -> dict[str, Any]:
    resolved = int(history.resolved[controlled, n].sum())
    return {
        "units": _spread(history.allocation[controlled, n]),
        "arrived": _spread(history.arrived[:, n]),
        "ssr": int(history.satisfied[controlled, n].sum()) / resolved if resolved else None,
        "ssr_of_periods": _spread(history.ssr[controlled, n]),
        "latency_mean_ms": _spread(history.latency_mean_ms[controlled, n]),
    }


def _spread(values: NDArray[Any]) -> dict[str, float | None]:
    """Mean and quantiles of what is known."""
    known = values[~np.isnan(values)]
    if not known.size:
        return {"mean": None, **dict.fromkeys(QUANTILES)}
    cut = np.quantile(known, list(QUANTILES.values()))
    return {"mean": float(known.mean()), **dict(zip(QUANTILES, map(float, cut), strict=True))}
