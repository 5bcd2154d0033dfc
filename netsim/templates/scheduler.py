"""MyScheduler shares the resource blocks of a slice among its users, once per slot.

netsim run tiny --set "slices.video.scheduler={kind: my_scheduler:MyScheduler}" --audit

In a scenario file beside this one: scheduler: {kind: my_scheduler.py:MyScheduler, options: {most: 4}}
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class MyScheduler:
    """Serves users in order of the bits that a resource block carries for them, at most ``most`` blocks at a time."""

    def __init__(self, most: int = 8) -> None:
        # Called once for each slice that names it, with the `options` of the scenario as keywords.
        self.most = most

    def share(self, prb: int, slot: int, active: NDArray[Any], grants: NDArray[np.int64]) -> None:
        # Called in every slot in which a user of the slice has something queued.
        #
        #   prb     resource blocks of the slice in this slot: the grants have to sum to it, whatever is needed
        #   slot    number of the slot, from 0
        #   active  one record per user with something queued, in order of their numbers; a copy:
        #           active["user"]          number in the slice
        #           active["packets"]       packets queued
        #           active["backlog_bits"]  bits queued
        #           active["deadline_ns"]   when the latency limit of the oldest packet passes, ns since the start
        #           active["bits_per_prb"]  bits that one resource block would carry in this slot
        #   grants  one int64 per record, zero before the call: the answer goes here
        #
        # Decide from these alone: a run that is saved, or one of many cells, does not take attributes along. For speed,
        # `share = staticmethod(f)` with f compiled by numba.njit is called from within the simulator.
        order = np.argsort(-active["bits_per_prb"], kind="stable")
        left = prb
        while left:
            for i in order:
                given = min(self.most, left)
                grants[i] += given
                left -= given


if __name__ == "__main__":  # python my_scheduler.py audits it in cells drawn at random (needs: pip install hypothesis)
    from netsim.testing import check_scheduler

    print(*check_scheduler(MyScheduler) or ["nothing is wrong with it"], sep="\n")
