"""NR link adaptation: the CQI and MCS tables of TS 38.214."""

import numpy as np

from netsim.scenario import NrLink
from netsim.state import Array

# (modulation order, code rate x 1024), rows with a meaning only.
CQI_64QAM = (  # table 5.2.2.1-2
    (2, 78), (2, 120), (2, 193), (2, 308), (2, 449), (2, 602), (4, 378), (4, 490), (4, 616), (6, 466),
    (6, 567), (6, 666), (6, 772), (6, 873), (6, 948),
)  # fmt: skip
CQI_256QAM = (  # table 5.2.2.1-3
    (2, 78), (2, 193), (2, 449), (4, 378), (4, 490), (4, 616), (6, 466), (6, 567), (6, 666), (6, 772),
    (6, 873), (8, 711), (8, 797), (8, 885), (8, 948),
)  # fmt: skip
MCS_64QAM = (  # table 5.1.3.1-1
    (2, 120), (2, 157), (2, 193), (2, 251), (2, 308), (2, 379), (2, 449), (2, 526), (2, 602), (2, 679),
    (4, 340), (4, 378), (4, 434), (4, 490), (4, 553), (4, 616), (4, 658), (6, 438), (6, 466), (6, 517),
    (6, 567), (6, 616), (6, 666), (6, 719), (6, 772), (6, 822), (6, 873), (6, 910), (6, 948),
)  # fmt: skip
MCS_256QAM = (  # table 5.1.3.1-2
    (2, 120), (2, 193), (2, 308), (2, 449), (2, 602), (4, 378), (4, 434), (4, 490), (4, 553), (4, 616),
    (4, 658), (6, 466), (6, 517), (6, 567), (6, 616), (6, 666), (6, 719), (6, 772), (6, 822), (6, 873),
    (8, 682.5), (8, 711), (8, 754), (8, 797), (8, 841), (8, 885), (8, 916.5), (8, 948),
)  # fmt: skip

_TABLES = {
    ("qam64", "cqi"): CQI_64QAM,
    ("qam256", "cqi"): CQI_256QAM,
    ("qam64", "mcs"): MCS_64QAM,
    ("qam256", "mcs"): MCS_256QAM,
}


def link_table(link: NrLink) -> tuple[Array, Array]:
    """Thresholds of SNR, ascending, and the bit/s/Hz of one layer that each one opens, overhead deducted.

    An efficiency e is supported from the SNR at which Shannon's law, its SNR reduced by the gap, gives e:
    ``snr = gap (2^e - 1)``.
    """
    rows = _TABLES[link.table, link.report]
    efficiency = np.unique([order * rate / 1024 for order, rate in rows])
    gap = 10 ** (link.gap_db / 10)
    return gap * (np.exp2(efficiency) - 1), efficiency * (1 - link.overhead)
