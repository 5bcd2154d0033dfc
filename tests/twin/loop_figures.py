"""What Algorithm 1 does when the network changes and when it does not, with refit=drift: the figures of twin/README.md.

python -m tests.twin.loop_figures crowd      # flash-crowd, 40 seeds of 400 periods
python -m tests.twin.loop_figures table1     # 40 seeds of 2,000 periods
"""

import sys
from dataclasses import replace

import click
import numpy as np
from scipy.stats import chi2

import netsim
from netsim import allocations
from rl.agents import Task, configured
from rl.networks import single_thread
from twin.dual_loop import DualLoop
from twin.loop_config import DualLoopConfig

SEEDS = range(1, 41)
CROWD_COMES, CROWD_LEAVES = 200, 400
"""Periods."""


class Diary:
    """Notes the utility of every period, and when alarms and fits came."""

    def __init__(self, loop):
        self._loop, self.utilities, self.alarms, self.fits = loop, [], [], []

    @netsim.hookimpl
    def period_ended(self, report):
        self.utilities.append(report.utility)

    @netsim.hookimpl
    def decide_allocation(self):
        """Asked before the loop decides, when it has seen the last period."""
        spent, last = self._loop.ledger(), len(self.utilities) - 1
        self.alarms += [last] * (spent["alarms"] - len(self.alarms))
        self.fits += [last] * (spent["twin_fits"] - len(self.fits))


def play(scenario, periods, seed, task):
    loop = DualLoop(scenario, replace(task, seed=seed), "ddqn", configured("ddqn", {}), DualLoopConfig(refit="drift"))
    diary = Diary(loop)
    netsim.run(scenario, loop, periods=periods, seed=seed, plugins=[diary])
    return diary


def best_in_the_crowd(scenario):
    """U of the best allocation for the periods in which the whole crowd is there."""
    seeds = range(500, 504)
    best = 0.0
    with netsim.SimulationBatch(scenario, seeds) as cells:
        for units in allocations.enumerate_all(scenario.carrier.units, len(scenario.slices)).tolist():
            cells.reset()
            means = [cells.step([tuple(units)] * len(seeds)).columns["utility"].mean() for _ in range(CROWD_LEAVES - 1)]
            best = max(best, float(np.mean(means[CROWD_COMES + 51 :])))
    return best


def crowd():
    scenario = netsim.load_scenario("flash-crowd")
    task, best = Task.of(scenario, 400, 0), best_in_the_crowd(scenario)
    delays, shares = [], []
    for seed in SEEDS:
        diary = play(scenario, CROWD_LEAVES, seed, task)
        early = [period for period in diary.alarms if period < CROWD_COMES]
        alarm = min(period for period in diary.alarms if period >= CROWD_COMES)
        refit = min(period for period in diary.fits if period > alarm)
        delays.append(alarm - CROWD_COMES + 1)
        shares.append(np.mean(diary.utilities[refit + 1 : CROWD_LEAVES]) / best)
        click.echo(
            f"seed {seed}: {len(early)} alarms before, noticed in period {delays[-1]} of the crowd, fitted anew "
            f"{refit - alarm} periods later, then {shares[-1]:.3f} of the best allocation"
        )
    click.echo(
        f"noticed: median {np.median(delays):g}, worst {max(delays)}; best allocation {best:.3f}, share of it mean "
        f"{np.mean(shares):.3f}, worst {min(shares):.3f}"
    )


def table1():
    scenario = netsim.load_scenario("table1")
    task = Task.of(scenario, 2000, 0)
    alarms = periods = 0
    for seed in SEEDS:
        diary = play(scenario, 2000, seed, task)
        alarms, periods = alarms + len(diary.alarms), periods + 2000 - diary.fits[0]
    low, high = chi2.ppf(0.025, 2 * alarms) / 2, chi2.ppf(0.975, 2 * alarms + 2) / 2
    click.echo(f"{alarms} false alarms ({low:.1f} to {high:.1f}) in {periods} periods, {periods / 1e4:.1f} were set")


if __name__ == "__main__":
    single_thread()
    {"crowd": crowd, "table1": table1}[sys.argv[1]]()
