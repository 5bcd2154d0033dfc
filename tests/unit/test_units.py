"""Quantities: a number and a unit, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from netsim import limits, units
from netsim.units import DIMENSIONS, TIME, Dimension

EXACT = (units.TIME, units.DATA, units.RATE, units.FREQUENCY)
"""Dimensions whose values are whole numbers of the base unit somewhere in a scenario."""


@pytest.mark.parametrize("dimension", EXACT, ids=lambda d: d.name)
@given(value=st.integers(0, limits.MAX_TIME_NS))
@settings(deadline=None)
def test_whole_values_survive_writing_and_reading(dimension: Dimension, value: int):
    assert dimension.parse_whole(dimension.format(value)) == value


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
@given(value=st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-15))
@settings(deadline=None)
def test_real_values_survive_writing_and_reading_bit_for_bit(dimension: Dimension, value: float):
    assert float(dimension.parse(dimension.format(value))) == value


@given(number=st.decimals(0, 10**6, places=6), unit=st.sampled_from(sorted(TIME.units)))
@settings(deadline=None)
def test_a_time_is_read_exactly_or_refused(number: Decimal, unit: str):
    exact = Fraction(number) * Fraction(TIME.units[unit])
    if exact.denominator == 1:
        assert TIME.parse_whole(f"{number} {unit}") == exact
    else:
        with pytest.raises(ValueError, match="must be a whole number of ns"):
            TIME.parse_whole(f"{number} {unit}")


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (units.TIME, "0.5 ms", 500_000),
        (units.TIME, "0.5ms", 500_000),
        (units.TIME, "  2 min ", 120 * 10**9),
        (units.TIME, "1e-3 us", 1),
        (units.DATA, "40 B", 320),
        (units.DATA, "6.4 kB", 51_200),
        (units.DATA, "1 kB", 8_000),
        (units.RATE, "51 kbit/s", 51_000),
        (units.RATE, "0.1 Gbit/s", 10**8),
        (units.FREQUENCY, "200 kHz", 200_000),
    ],
)
def test_a_quantity_is_a_whole_number_of_base_units(dimension: Dimension, text: str, value: int):
    assert dimension.parse_whole(text) == value


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
@pytest.mark.parametrize(
    "value", [5, 5.0, 0, True, None, [], "5", "", " ", "ms", "five ms", "5 5", "nan s", "inf s", "0x5 s"]
)
def test_what_has_no_number_or_no_unit_is_refused(dimension: Dimension, value: object):
    with pytest.raises(ValueError, match=f"^must be a {dimension.name}"):
        dimension.parse(value)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_units_of_other_dimensions_are_refused(dimension: Dimension):
    foreign = {unit for other in DIMENSIONS for unit in other.units} - set(dimension.units)
    for unit in sorted(foreign):
        with pytest.raises(ValueError, match=f"^must be a {dimension.name}; its unit must be one of "):
            dimension.parse(f"5 {unit}")


@pytest.mark.parametrize(
    "text", ["5 Ms", "5 MS", "5 mS", "5 m s", "5 msec", "5 s s", "5 ms.", "5_0 ms", "5,0 ms", "٥ ms"]
)
def test_almost_a_time_is_no_time(text: str):
    with pytest.raises(ValueError, match=r"^must be a time"):
        TIME.parse(text)


@pytest.mark.parametrize(
    ("value", "text"), [(500_000, "500 us"), (10**9, "1 s"), (60 * 10**9, "60 s"), (1, "1 ns"), (0, "0 ns")]
)
def test_the_writing_is_short(value: int, text: str):
    assert len(TIME.format(value)) <= len(text)


class _Model(BaseModel):
    slot: units.PositiveTimeNs
    bandwidth: units.BandwidthHz = 200_000
    frequency: units.FrequencyHz = 1.0


@pytest.mark.parametrize(
    ("key", "text", "rule"),
    [
        ("slot", "0 ns", "must be at least 1 ns and at most "),
        ("slot", "1e12 h", "must be at least 1 ns and at most "),
        ("bandwidth", "999 Hz", "must be at least 1 kHz and at most 1 GHz"),
        ("bandwidth", "1e308 Hz", "must be at least 1 kHz and at most 1 GHz"),
        ("frequency", "0 Hz", "must be above 0 Hz and at most 1e12 Hz"),
    ],
)
def test_a_range_is_told_in_units(key: str, text: str, rule: str):
    with pytest.raises(ValidationError) as caught:
        _Model.model_validate({"slot": "1 ms", key: text})
    assert rule.replace("1e12 Hz", "") in caught.value.errors()[0]["msg"]


@given(digits=st.decimals(1, 9, places=3), exponent=st.integers(-420, -290))
def test_what_must_be_above_0_is_so_as_a_float_too(digits: Decimal, exponent: int):
    """The smallest float above 0 is 5e-324; decimals below half of it would become 0."""
    text = f"{digits}e{exponent} Hz"
    if float(f"{digits}e{exponent}") > 0:
        assert _Model.model_validate({"slot": "1 ms", "frequency": text}).frequency > 0
    else:
        with pytest.raises(ValidationError, match=r"must be at least 5e-324 Hz and at most "):
            _Model.model_validate({"slot": "1 ms", "frequency": text})


def test_a_model_keeps_base_units_and_writes_units():
    model = _Model.model_validate({"slot": "0.5 ms"})
    assert model.slot == 500_000
    assert model.model_dump(mode="json") == {"slot": TIME.format(500_000), "bandwidth": "200 kHz", "frequency": "1 Hz"}
