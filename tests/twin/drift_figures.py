"""What the drift detector reaches, as Markdown tables: ``python -m tests.twin.drift_figures [scenarios | streams]``."""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

import netsim
from netsim import allocations
from twin.drift import DriftConfig, DriftDetector, run_length, threshold_for

HELD = {"table1": (20, 50, 30), "flash-crowd": (4, 8, 8), "diurnal": (4, 8, 8)}
"""Allocations that are held where none is drawn."""


# -- networks


@dataclass(frozen=True)
class Played:
    """T periods of each of B seeds."""

    arrived: np.ndarray
    """Shape ``(T, B, N)``."""
    utility: np.ndarray
    """Shape ``(T, B)``."""
    shares: np.ndarray
    """Shape ``(T, B, N)``."""


def played(name: str, *, seeds: int, periods: int, at_random: bool) -> Played:
    """A shipped scenario's periods after period 0, under one allocation or drawn ones."""
    scenario = netsim.load_scenario(name)
    units, n = scenario.carrier.units, len(scenario.slices)
    drawn = np.random.Generator(np.random.Philox(7)).integers(0, allocations.count(units, n), (periods, seeds))
    table = allocations.enumerate_all(units, n)
    held = np.full(seeds, allocations.rank(HELD[name]))
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    with netsim.SimulationBatch(scenario, range(1, seeds + 1)) as batch:
        batch.reset()
        for row in drawn:
            given = table[row if at_random else held]
            batch.advance([tuple(each) for each in given.tolist()])
            columns = batch.columns()
            kept.append((columns["arrived"].copy(), columns["utility"].copy(), given / units))
    return Played(*(np.array(column) for column in zip(*kept, strict=True)))


def residuals(play: Played, seed: int, reference: int) -> tuple[np.ndarray, np.ndarray]:
    """What the simplest twin gets wrong: held out over the periods it knows, and in all that follow.

    It expects the mean of arrivals, and of U a quadratic in the logarithms of the shares, fitted to the first
    ``reference`` periods; each of these is predicted by the fit to the others (the residual over 1 - leverage).
    Shapes ``(reference, N + 1)`` and ``(T - reference, N + 1)``.
    """
    arrived, utility = play.arrived[:, seed].astype(float), play.utility[:, seed]
    features = _features(play.shares[:, seed])
    inverse = np.linalg.pinv(features[:reference])
    wrong = utility - features @ (inverse @ utility[:reference])
    wrong[:reference] /= 1.0 - np.einsum("ij,ji->i", features[:reference], inverse)
    excess = arrived - arrived[:reference].mean(axis=0)
    excess[:reference] *= reference / (reference - 1.0)
    both = np.column_stack([excess, wrong])
    return both[:reference], both[reference:]


def _features(shares: np.ndarray) -> np.ndarray:
    logs = np.log(shares)
    if np.ptp(logs, axis=0).max() == 0.0:
        return np.ones((len(shares), 1))
    pairs = [logs[:, i] * logs[:, j] for i in range(logs.shape[1]) for j in range(i + 1)]
    return np.column_stack([np.ones(len(shares)), logs, *pairs])


def alarms(reference: np.ndarray, stream: np.ndarray, config: DriftConfig) -> list[int]:
    """At which periods of a stream there is an alarm, numbered from 1."""
    detector = DriftDetector(reference, config)
    return [period for period, row in enumerate(stream, start=1) if detector.update(row)]


def first_alarms(play: Played, change: int, reference: int, config: DriftConfig) -> np.ndarray:
    """Periods from a change to the first alarm after it, per seed; infinite if there is none.

    The reference ends where the change begins.
    """
    at = [alarms(*residuals(_since(play, change - reference), seed, reference), config) for seed in range(_seeds(play))]
    return np.array([each[0] if each else math.inf for each in at])


def _since(play: Played, period: int) -> Played:
    return Played(play.arrived[period:], play.utility[period:], play.shares[period:])


def _seeds(play: Played) -> int:
    return play.utility.shape[1]


def scenario_rows() -> Iterator[list[str]]:
    """False alarms on ``table1``, delays on scenarios that change."""
    yield [
        "scenario",
        "allocations",
        "reference",
        "set: a false alarm per",
        "periods watched",
        "alarms",
        "95 % interval",
    ]
    for at_random in (False, True):
        play = played("table1", seeds=40, periods=2500, at_random=at_random)
        for reference in (100, 500):
            for every in (1000.0, 10_000.0):
                config = DriftConfig(periods_between_false_alarms=every)
                known = (residuals(play, seed, reference) for seed in range(40))
                count = sum(len(alarms(before, after[:2000], config)) for before, after in known)
                low, high = poisson_interval(count)
                kind = "drawn" if at_random else "held"
                cells = [kind, reference, f"{every:g}", 80_000, count, f"{low:.0f} to {high:.0f}"]
                yield ["table1", *map(str, cells)]
    yield ["scenario", "allocations", "reference", "change in period", "seeds", "within 10 periods", "median", "worst"]
    for name, change in (("flash-crowd", 199), ("diurnal", 149)):
        for at_random in (False, True):
            play = played(name, seeds=40, periods=change + 75, at_random=at_random)
            delays = first_alarms(play, change, reference=140, config=DriftConfig())
            shown = [np.count_nonzero(delays <= 10), f"{np.median(delays):g}", f"{delays.max():g}"]
            yield [name, "drawn" if at_random else "held", "140", str(change + 1), "40", *map(str, shown)]


def poisson_interval(count: int) -> tuple[float, float]:
    """The exact 95 % interval of a Poisson mean."""
    low = 0.0 if count == 0 else float(chi2.ppf(0.025, 2 * count)) / 2.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2.0


# -- streams whose law is known


def stream(kind: str, seed: int, periods: int) -> np.ndarray:
    """A stationary stream of one channel, shape ``(periods,)``; the correlated ones have forgotten their start."""
    rng = np.random.Generator(np.random.Philox([seed, 11]))
    if kind == "AR 0.9 in noise":
        return _autoregression(rng.normal(size=periods + 300), 0.9)[300:] + 1.5 * rng.normal(size=periods)
    if kind.startswith("AR"):
        return _autoregression(rng.normal(size=periods + 300), float(kind.split()[1]))[300:]
    if kind == "voices":
        return _voices(rng, periods)
    return {
        "normal": lambda: rng.normal(size=periods),
        "log-normal": lambda: rng.lognormal(size=periods),
        "Cauchy": lambda: rng.standard_cauchy(size=periods),
        "Poisson": lambda: rng.poisson(3.0, periods).astype(float),
        "mostly 1": lambda: np.minimum(1.0, rng.normal(1.5, 0.5, periods)),
    }[kind]()


def _autoregression(noise: np.ndarray, weight: float) -> np.ndarray:
    made, last = np.empty_like(noise), 0.0
    for i, each in enumerate(noise):
        made[i] = last = weight * last + math.sqrt(1.0 - weight**2) * each
    return made


def _voices(rng: np.random.Generator, periods: int) -> np.ndarray:
    """Packets a period of 46 users who talk for 5.6 periods and are silent for 8 in the mean."""
    talking, counts = rng.random(46) < 0.41, np.empty(periods)
    for i in range(periods):
        talking = np.where(talking, rng.random(46) > 0.18, rng.random(46) < 0.125)
        counts[i] = rng.poisson(4.0 * talking.sum())
    return counts


def textbook_alarms(reference: np.ndarray, watched: np.ndarray, config: DriftConfig) -> int:
    """Alarms of a CUSUM of residuals standardised by mean and deviation of the reference."""
    threshold, sums, count = config.threshold(1), np.zeros(2), 0
    for score in (watched - reference.mean()) / reference.std():
        sums = np.maximum(0.0, sums + np.array([score, -score]) - config.allowance)
        if sums.max() > threshold:
            sums, count = np.zeros(2), count + 1
    return count


def stream_rows(repetitions: int = 60, periods: int = 2000, every: float = 1000.0) -> Iterator[list[str]]:
    """False alarms on stationary streams, and delays of shifts."""
    config = DriftConfig(periods_between_false_alarms=every)
    yield ["stream", "reference", "alarms per 1000 periods (set: 1)", "CUSUM of standardised residuals"]
    for kind in (
        "normal",
        "log-normal",
        "Cauchy",
        "Poisson",
        "mostly 1",
        "AR 0.3",
        "AR 0.9",
        "AR 0.9 in noise",
        "voices",
    ):
        for reference in (30, 100, 300, 1000):
            counts = []
            for seed in range(repetitions):
                drawn = stream(kind, seed, reference + periods)
                before, after = drawn[:reference], drawn[reference:]
                counts.append(
                    (len(alarms(before[:, None], after[:, None], config)), textbook_alarms(before, after, config))
                )
            yield [kind, str(reference), *(per_thousand(np.array(each), periods) for each in zip(*counts, strict=True))]
    yield ["shift, standard deviations", "reference", "mean delay, periods", "known parameters"]
    threshold = threshold_for(2.0 * DriftConfig().periods_between_false_alarms, 0.5)
    for shift in (0.5, 1.0, 2.0, 4.0):
        for reference in (100, 300, 1000):
            at = delays(shift, reference, DriftConfig(), repetitions=100)
            yield [f"{shift:g}", str(reference), with_error(at), f"{run_length(threshold, 0.5, shift):.1f}"]


def delays(shift: float, reference: int, config: DriftConfig, *, repetitions: int, wait: int = 2000) -> np.ndarray:
    """Periods from a shift of a normal stream's mean, which comes with the first period watched, to the alarm."""
    found = []
    for seed in range(repetitions):
        drawn = stream("normal", seed, reference + wait)[:, None]
        detector = DriftDetector(drawn[:reference], config)
        watched = enumerate(drawn[reference:] + shift, start=1)
        found.append(next((period for period, row in watched if detector.update(row)), wait))
    return np.array(found)


def per_thousand(counts: np.ndarray, periods: int) -> str:
    """A rate and the half-width of its 95 % interval over repetitions."""
    return with_error(1000.0 * counts / periods)


def with_error(values: np.ndarray) -> str:
    """A mean and the half-width of its 95 % interval."""
    return f"{values.mean():.2f} ± {1.96 * values.std(ddof=1) / math.sqrt(values.size):.2f}"


def main(arguments: list[str]) -> None:
    """Write the tables asked for, all by default."""
    tables = {"scenarios": scenario_rows, "streams": stream_rows}
    for name in arguments or tables:
        for row in tables[name]():
            sys.stdout.write("| " + " | ".join(row) + " |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
