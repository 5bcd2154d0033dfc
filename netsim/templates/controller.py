"""MyController decides, once per observation period, how the carrier is split between the slices.

netsim run tiny --controller my_controller.py:MyController --periods 500
netsim run table1 --controller my_controller.py:MyController --out runs/MyController
"""

from netsim import PeriodReport, Scenario, hookimpl


class MyController:
    """Moves one unit a period from the best-served slice to the worst-served one."""

    def __init__(self, scenario: Scenario) -> None:
        # Called once for a run, with the scenario if there is a parameter of that name.
        self.units = scenario.carrier.units  # what the units of all slices sum to
        self.slices = scenario.slice_names  # the order of all that a report holds per slice

    @hookimpl
    def run_started(self, seed: int) -> None:
        # Called before period 0. Whatever is random has to come from the seed: equal seeds have to give equal runs.
        self.seed = seed

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> list[int]:
        # Called after each period, with what came of it: numpy arrays, one entry per slice, not to be written to.
        #
        #   report.ssr              packets satisfied over packets resolved, 0 to 1
        #   report.arrived          packets that arrived
        #   report.offered_bits     their bits
        #   report.slow             packets sent in time at less than the rate that was promised
        #   report.late             packets whose latency limit passed
        #   report.dropped          packets that met a full queue
        #   report.backlog_bits     bits queued at the period's end
        #   report.latency_mean_ms  mean latency of the packets sent, NaN without one; also latency_p99_ms
        #   report.allocation       units that each slice had, a tuple of int
        #   report.utility          U, what agents are trained for: one float
        #   report.period           number of the period, from 0
        units = list(report.allocation)
        worst, best = int(report.ssr.argmin()), int(report.ssr.argmax())
        if report.ssr[worst] < report.ssr[best] and units[best] > 1:
            units[worst] += 1
            units[best] -= 1
        return units  # whole numbers, at least 1 for each slice, that sum to self.units: the next period's


if __name__ == "__main__":  # python my_controller.py says what is wrong with it
    from netsim.testing import check_controller

    print(*check_controller(MyController) or ["nothing is wrong with it"], sep="\n")
