"""Quantities as scenario files write them: a number, a space, a unit.

Whole quantities (time, data, rates, bandwidth) are exact: ``0.5 ms`` is 500 000 ns by decimal arithmetic, and a value
that is no whole number of the base unit is an error rather than rounded.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from netsim import limits

_QUANTITY = re.compile(r"\s*([+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?)\s*([^\s0-9].*?)\s*")


@dataclass(frozen=True)
class Dimension:
    """A physical dimension: its units as multiples of the base unit, and the example that error messages give."""

    name: str
    units: Mapping[str, Decimal]
    example: str

    def parse(self, value: object) -> Decimal:
        """The value in the base unit.

        >>> TIME.parse("40 ms")
        Decimal('4.0E+7')

        Raises
        ------
        ValueError
            Naming the rule that the value breaks.
        """
        if not isinstance(value, str):
            raise ValueError(f"must be a {self.name} with its unit, like {self.example!r}")
        match = _QUANTITY.fullmatch(value)
        if match is None:
            raise ValueError(f"must be a {self.name} with its unit, like {self.example!r}")
        number, unit = match.groups()
        if unit not in self.units:
            known = ", ".join(self.units)
            raise ValueError(f"must be a {self.name}; its unit must be one of {known}")
        return Decimal(number) * self.units[unit]

    def parse_whole(self, value: object) -> int:
        """The value as a whole number of base units; a fraction of one is an error."""
        exact = self.parse(value)
        if exact != exact.to_integral_value():
            raise ValueError(f"must be a whole number of {next(iter(self.units))}")
        return int(exact)

    def format(self, value: float) -> str:
        """The shortest exact writing of ``value`` base units, which :meth:`parse` reads back.

        >>> TIME.format(1_500_000)
        '1.5 ms'
        """
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        writings = [
            f"{_plain(exact / scale)} {unit}" for unit, scale in self.units.items() if (exact / scale) * scale == exact
        ]
        return min(writings, key=len)


def _plain(number: Decimal) -> str:
    text = format(number.normalize(), "f")
    return text if len(text) <= 20 else format(number.normalize(), "e")


def _scales(**units: str) -> dict[str, Decimal]:
    return {unit: Decimal(scale) for unit, scale in units.items()}


TIME = Dimension("time", {"ns": Decimal(1), **_scales(us="1e3", ms="1e6", s="1e9", min="60e9", h="3600e9")}, "10 ms")
DATA = Dimension("packet size", _scales(bit="1", B="8", kB="8e3", MB="8e6"), "40 B")
RATE = Dimension(
    "data rate",
    {"bit/s": Decimal(1), "kbit/s": Decimal(1000), "Mbit/s": Decimal(10**6), "Gbit/s": Decimal(10**9)},
    "10 Mbit/s",
)
FREQUENCY = Dimension("frequency", _scales(Hz="1", kHz="1e3", MHz="1e6", GHz="1e9"), "200 kHz")
POWER = Dimension("power", _scales(dBm="1"), "46 dBm")
GAIN = Dimension("gain or loss", _scales(dB="1"), "20 dB")
NOISE = Dimension("noise density", {"dBm/Hz": Decimal(1)}, "-174 dBm/Hz")
LENGTH = Dimension("length", _scales(m="1", km="1e3"), "40 m")
ARRIVALS = Dimension("packet rate", {"/s": Decimal(1)}, "100 /s")

DIMENSIONS = (TIME, DATA, RATE, FREQUENCY, POWER, GAIN, NOISE, LENGTH, ARRIVALS)


def _schema(dimension: Dimension) -> WithJsonSchema:
    units = "|".join(re.escape(unit) for unit in dimension.units)
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^\s*[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*({units})\s*$",
            "description": f"a {dimension.name} with its unit, like {dimension.example}",
            "examples": [dimension.example],
        }
    )


def _bounded(dimension: Dimension, low: float, high: float, exclusive: bool = False) -> BeforeValidator:
    """Parse, then check the range here, so that the message speaks in the file's units."""

    def check(number: Decimal) -> None:
        if not (low < number if exclusive else low <= number) or number > high:
            above = "above" if exclusive else "at least"
            lowest = dimension.format(low)
            raise ValueError(f"must be {above} {lowest} and at most {dimension.format(high)}")

    def whole(value: object) -> int:
        check(dimension.parse(value))
        return dimension.parse_whole(value)

    def real(value: object) -> float:
        number = dimension.parse(value)
        check(number)
        nearest = float(number)
        if exclusive and nearest <= low:  # what is above the bound as a decimal may be on it as a float
            least = dimension.format(math.nextafter(low, math.inf))
            raise ValueError(f"must be at least {least} and at most {dimension.format(high)}")
        return nearest

    return BeforeValidator(whole if isinstance(low, int) else real)


def _quantity(dimension: Dimension, low: float, high: float, exclusive: bool = False) -> tuple[Any, ...]:
    """Metadata of a pydantic field: integer bounds make a whole quantity, float bounds a real one."""
    return (
        _bounded(dimension, low, high, exclusive),
        PlainSerializer(dimension.format, return_type=str),
        _schema(dimension),
    )


TimeNs = Annotated[int, *_quantity(TIME, 0, limits.MAX_TIME_NS)]
PositiveTimeNs = Annotated[int, *_quantity(TIME, 1, limits.MAX_TIME_NS)]
DataBits = Annotated[int, *_quantity(DATA, 1, limits.MAX_PACKET_BITS)]
RateBps = Annotated[int, *_quantity(RATE, 0, limits.MAX_RATE_BPS)]
BandwidthHz = Annotated[int, *_quantity(FREQUENCY, 1000, 10**9)]
FrequencyHz = Annotated[float, *_quantity(FREQUENCY, 0.0, 1e12, exclusive=True)]
PowerDbm = Annotated[float, *_quantity(POWER, -200.0, 200.0)]
GainDb = Annotated[float, *_quantity(GAIN, -1000.0, 1000.0)]
SpreadDb = Annotated[float, *_quantity(GAIN, 0.0, 100.0)]
NoiseDbmPerHz = Annotated[float, *_quantity(NOISE, -300.0, 100.0)]
LengthM = Annotated[float, *_quantity(LENGTH, 0.0, 1e6, exclusive=True)]
ArrivalRate = Annotated[float, *_quantity(ARRIVALS, 0.0, 1e7, exclusive=True)]

Real = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e12, le=1e12)]
PositiveReal = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1e12)]
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
