"""A scheduler that finishes first whom it can finish soonest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class ShortestBacklog:
    """Serves users in order of the blocks that their backlog needs, each in full before the next one gets any."""

    def share(self, prb: int, slot: int, active: NDArray[Any], grants: NDArray[np.int64]) -> None:
        """Write how many of ``prb`` blocks each user gets; they have to sum to ``prb``."""
        bits = np.maximum(active["bits_per_prb"], 1.0)
        needed = np.maximum(np.ceil(active["backlog_bits"] / bits), 1.0).astype(np.int64)
        left = prb
        for i in np.argsort(needed, kind="stable"):
            grants[i] = min(int(needed[i]), left)
            left -= grants[i]
        grants[np.argmin(needed)] += left
