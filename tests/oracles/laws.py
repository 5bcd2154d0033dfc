"""Distributions, by inversion of their distribution functions (Box and Muller for the log-normal)."""

import math
from typing import Any

from tests.oracles.draws import LN2, logarithm, normal_of, power_of_two, uniform_of

NEVER_NS = 2**61
MOST_BITS = 10**15


def gap_and_size(gap: Any, size: Any, words: tuple[int, int]) -> tuple[int, int]:
    """The first word of a packet makes its gap, the second its size."""
    return nearest_ns(drawn(gap, words[0])), whole_bits(drawn(size, words[1]))


def nearest_ns(gap_ns: float) -> int:
    return math.floor(min(gap_ns, float(NEVER_NS)) + 0.5)


def whole_bits(size_bits: float) -> int:
    """Truncated, but at least one bit."""
    return int(min(max(size_bits, 1.0), float(MOST_BITS)))


def drawn(law: Any, word: int) -> float:
    """One draw in ns or bits."""
    u = uniform_of(word)
    match law.distribution:
        case "constant":
            return float(quantity(law, "value"))
        case "uniform":
            low, high = quantity(law, "low"), quantity(law, "high")
            return low + (high - low) * u
        case "exponential":
            return cut(law, -quantity(law, "mean") * logarithm(u))
        case "truncated-exponential":
            inside = -math.expm1(-quantity(law, "max") / quantity(law, "mean"))
            return -quantity(law, "mean") * logarithm(1.0 - inside * u)
        case "pareto":
            exponent = -(1.0 / law.shape) * logarithm(u) / LN2
            return cut(law, quantity(law, "scale") * power_of_two(min(exponent, 900.0)))
        case "lognormal":
            return cut(law, quantity(law, "median") * power_of_two(law.sigma / LN2 * normal_of(word)))
        case "choice":
            values = quantity(law, "values")
            return float(values[int(u * len(values))])
    raise ValueError(law.distribution)


def cut(law: Any, value: float) -> float:
    """A draw beyond the cap is replaced by the cap."""
    cap = quantity(law, "cut")
    return value if cap is None else min(value, cap)


def quantity(law: Any, name: str) -> Any:
    """A parameter of a law over time or over data."""
    return getattr(law, f"{name}_ns" if hasattr(law, f"{name}_ns") else f"{name}_bits")
