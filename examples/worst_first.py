from netsim import hookimpl


class WorstFirst:
    """Moves one unit a period from the best-served slice to the worst-served one."""

    @hookimpl
    def decide_allocation(self, report):
        units = list(report.allocation)
        worst, richest = report.ssr.argmin(), report.ssr.argmax()
        if report.ssr[worst] < report.ssr[richest] and units[richest] > 1:
            units[worst] += 1
            units[richest] -= 1
        return units
