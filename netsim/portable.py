"""Logarithm, power and cosine from additions, multiplications and divisions alone.

The functions of a C library or of numpy differ in the last bit between machines, and a last bit can move a packet.
These give the same bits on every IEEE 754 machine, as compiled code and as plain Python, and the compiler can run
several at once.
"""

import math

import numpy as np

from netsim.compiled import formula

LN2 = math.log(2.0)
_MANTISSA = np.int64((1 << 52) - 1)
_ONE_BITS = np.int64(1023 << 52)
_SQRT2 = math.sqrt(2.0)
_EXPONENT_SHIFT = np.int64(52)
_BIAS = np.int64(1023)

# Twice the odd reciprocals, over ln 2: log2(m) = 2/ln2 (s + s^3/3 + s^5/5 + ...), s = (m - 1)/(m + 1), |s| <= 0.1716;
# the first term left out is below 2^-56 of the sum.
_L = tuple(2.0 / LN2 / n for n in range(1, 22, 2))
# Taylor coefficients of 2^f; |f| <= 1/2, the first term left out is below 2^-56.
_E = tuple(LN2**n / math.factorial(n) for n in range(14))
# Taylor coefficients of cos and sin of 2 pi x; |x| <= 1/8, the first terms left out are below 2^-58.
_C = tuple((-1) ** n * (2 * math.pi) ** (2 * n) / math.factorial(2 * n) for n in range(9))
_S = tuple((-1) ** n * (2 * math.pi) ** (2 * n + 1) / math.factorial(2 * n + 1) for n in range(9))


@formula
def lesser(a: float, b: float) -> float:
    """The smaller of two floats; the built-in ``min`` is compiled anew for each use."""
    return a if a < b else b


@formula
def greater(a: float, b: float) -> float:
    """The larger of two floats."""
    return a if a > b else b


@formula
def to_bits(x: float) -> int:
    """The 64 bits of a float, as uint64."""
    return np.float64(x).view(np.uint64)


@formula
def from_bits(bits: int) -> float:
    """The float of 64 bits."""
    return np.uint64(bits).view(np.float64)


@formula
def log2(x: float) -> float:
    """Base-2 logarithm of a positive normal number, to 3 units in the last place.

    >>> log2(8.0)
    3.0
    """
    bits = np.float64(x).view(np.int64)
    exponent = (bits >> _EXPONENT_SHIFT) - _BIAS
    mantissa = np.int64((bits & _MANTISSA) | _ONE_BITS).view(np.float64)
    high = mantissa > _SQRT2
    mantissa = mantissa * 0.5 if high else mantissa
    exponent = exponent + 1 if high else exponent
    s = (mantissa - 1.0) / (mantissa + 1.0)
    q = s * s
    q4 = q * q
    # Estrin's scheme: three short chains that the processor runs side by side.
    low = _L[0] + q * _L[1] + (_L[2] + q * _L[3]) * q4
    middle = _L[4] + q * _L[5] + (_L[6] + q * _L[7]) * q4
    top = _L[8] + q * _L[9] + _L[10] * q4
    return exponent + s * (low + q4 * q4 * (middle + q4 * q4 * top))


@formula
def exp2(y: float) -> float:
    """2 to the power ``y`` for -1000 < y < 1000, to 2 units in the last place.

    >>> exp2(3.0)
    8.0
    """
    whole = np.int64(math.floor(y + 0.5))
    f = y - whole
    f2 = f * f
    f4 = f2 * f2
    low = _E[0] + f * _E[1] + (_E[2] + f * _E[3]) * f2
    middle = _E[4] + f * _E[5] + (_E[6] + f * _E[7]) * f2
    top = _E[8] + f * _E[9] + (_E[10] + f * _E[11]) * f2
    last = _E[12] + f * _E[13]
    scale = np.int64((whole + _BIAS) << _EXPONENT_SHIFT).view(np.float64)
    return scale * (low + f4 * (middle + f4 * (top + f4 * last)))


@formula
def cos_turn(x: float) -> float:
    """Cosine of ``x`` turns, cos(2 pi x), to 1e-15 absolute for |x| < 2^40.

    >>> cos_turn(0.5)
    -1.0
    """
    turn = abs(x - math.floor(x + 0.5))
    mirrored = turn > 0.25
    turn = 0.5 - turn if mirrored else turn
    value = _sine(0.25 - turn) if turn > 0.125 else _cosine(turn)
    return -value if mirrored else value


@formula
def sin_turn(x: float) -> float:
    """Sine of ``x`` turns, sin(2 pi x).

    >>> sin_turn(0.25)
    1.0
    """
    return cos_turn(x - 0.25)


@formula
def _cosine(x: float) -> float:
    q = x * x
    q2 = q * q
    low = _C[0] + q * _C[1] + (_C[2] + q * _C[3]) * q2
    high = _C[4] + q * _C[5] + (_C[6] + q * _C[7]) * q2 + _C[8] * q2 * q2
    return low + q2 * q2 * high


@formula
def _sine(x: float) -> float:
    q = x * x
    q2 = q * q
    low = _S[0] + q * _S[1] + (_S[2] + q * _S[3]) * q2
    high = _S[4] + q * _S[5] + (_S[6] + q * _S[7]) * q2 + _S[8] * q2 * q2
    return x * (low + q2 * q2 * high)
