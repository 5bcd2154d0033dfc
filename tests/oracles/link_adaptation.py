"""What one spatial layer carries at an SNR, bit/s/Hz: Shannon's law, or the tables of TS 38.214."""

import math
from typing import Any

# Modulation order: code rates x 1024. Tables 5.2.2.1-2, 5.2.2.1-3, 5.1.3.1-1 and 5.1.3.1-2.
NR_TABLES: dict[tuple[str, str], dict[int, tuple[float, ...]]] = {
    ("qam64", "cqi"): {
        2: (78, 120, 193, 308, 449, 602),
        4: (378, 490, 616),
        6: (466, 567, 666, 772, 873, 948),
    },
    ("qam256", "cqi"): {
        2: (78, 193, 449),
        4: (378, 490, 616),
        6: (466, 567, 666, 772, 873),
        8: (711, 797, 885, 948),
    },
    ("qam64", "mcs"): {
        2: (120, 157, 193, 251, 308, 379, 449, 526, 602, 679),
        4: (340, 378, 434, 490, 553, 616, 658),
        6: (438, 466, 517, 567, 616, 666, 719, 772, 822, 873, 910, 948),
    },
    ("qam256", "mcs"): {
        2: (120, 193, 308, 449, 602),
        4: (378, 434, 490, 553, 616, 658),
        6: (466, 517, 567, 616, 666, 719, 772, 822, 873),
        8: (682.5, 711, 754, 797, 841, 885, 916.5, 948),
    },
}


def shannon(link: Any, snr: float) -> float:
    """log(1 + snr), up to the ceiling."""
    efficiency = math.log2(1.0 + snr) if link.log == "log2" else math.log10(1.0 + snr)
    return efficiency if link.ceiling is None else min(efficiency, link.ceiling)


def nr(link: Any, snr: float) -> float:
    """The best efficiency that Shannon's law supports at an SNR reduced by the gap, overhead deducted."""
    best = 0.0
    for order, rates in NR_TABLES[link.table, link.report].items():
        for rate in rates:
            efficiency = order * rate / 1024
            if snr >= 10 ** (link.gap_db / 10) * (2**efficiency - 1):
                best = max(best, efficiency)
    return best * (1 - link.overhead)
