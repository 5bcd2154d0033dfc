"""What a study file says, as frozen values. Placeholders like ``{agent}`` are not filled here but in the plan."""

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

Scalar: TypeAlias = bool | int | float | str
Plain: TypeAlias = Scalar | tuple[Scalar, ...]


def _value(given: Any) -> Plain:
    if isinstance(given, list | tuple) and given and all(isinstance(each, Scalar) for each in given):
        return tuple(given)
    if isinstance(given, Scalar):
        return given
    raise ValueError("must be a number, text, true, false, or a list of them")


def _texts(given: Any) -> str | tuple[str, ...]:
    if isinstance(given, list | tuple) and given and all(isinstance(each, str) for each in given):
        return tuple(given)
    if isinstance(given, str):
        return given
    raise ValueError("must be a group or a list of groups")


def _side(given: Any) -> float | str | tuple[str, ...]:
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else _texts(given)


Value = Annotated[Plain, PlainValidator(_value)]
Axis = Annotated[Plain, PlainValidator(_value)]
"""The values an axis takes, or the parameter ``{name}`` that lists them."""
Groups = Annotated[str | tuple[str, ...], PlainValidator(_texts)]
Side = Annotated[float | str | tuple[str, ...], PlainValidator(_side)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(gt=0, le=1)]

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class Part(BaseModel):
    """A part of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Runs(Part):
    """Runs that differ by the values of axes, and by their seed if the command has ``{seed}``."""

    group: Label
    """Name of the runs that differ by nothing but the seed."""
    axes: dict[Word, Axis] = Field(default={}, alias="for")
    """All combinations of their values are run."""
    command: Annotated[str, Field(min_length=1, max_length=2000)]
    """What follows ``netsim`` on the command line, without ``--out``."""
    options: dict[Word, dict[str, Annotated[str, Field(max_length=2000)]]] = Field(default={}, alias="with")
    """Axis -> value -> what follows the command where the axis has that value."""
    seconds: Annotated[float, Field(ge=0)] = 5.0
    """About what a run takes on one core, for the first estimate; the seconds that runs took correct it."""
    seconds_per: dict[Word, Annotated[float, Field(ge=0)]] = {}
    """The same for each unit of a parameter."""


class Measure(Part):
    """A number or a curve that a run leaves.

    ``value`` is a number in a JSON file. ``curve`` is a quantity over interactions: in lines of metrics, or in the
    table of periods of ``netsim run``. A curve becomes a number by ``last`` (its mean over that last share of the
    budget) or by ``reach`` (the interactions until its mean over a bin is that high).
    """

    value: Label | None = None
    curve: Label | None = None
    file: Label | None = None
    """Which file; without it the summary, the metrics or the periods, and what was printed by a command without any."""
    x: Label = "interactions"
    """What a curve is over: a key of the lines, or of a list in the file."""
    bin: Value = 200
    """Interactions that are averaged, the paper's round; or a parameter."""
    last: Share | None = None
    reach: Value | None = None
    of: Label | None = None
    """The group whose mean ``reach`` is a share of; without it ``reach`` is a level."""
    label: Label | None = None
    """As axes of figures have it."""

    @model_validator(mode="after")
    def _one_kind(self) -> "Measure":
        if (self.value is None) == (self.curve is None):
            raise ValueError("`value` must be given, or curve, but not both")
        if self.value is not None and (self.last is not None or self.reach is not None):
            raise ValueError("`value` is a number already, so neither last nor reach go with it")
        if self.last is not None and self.reach is not None:
            raise ValueError("`last` must not stand beside reach: give one of them")
        if self.of is not None and self.reach is None:
            raise ValueError("`of` must stand beside reach")
        return self

    @property
    def is_number(self) -> bool:
        """Whether each run gives a number by itself; levels are looked for in the curves of all."""
        return self.value is not None or self.last is not None

    @property
    def is_curve(self) -> bool:
        """Whether it stays a curve."""
        return self.curve is not None and self.last is None and self.reach is None


class FigureForm(Part):
    """A figure: a panel per value of its axes, and in each the groups."""

    figure: Label
    """Its name, and that of its files."""
    title: Label | None = None
    axes: dict[Word, Axis] = Field(default={}, alias="for")
    """A panel for each combination."""
    panel: str = ""
    """Heading of a panel."""
    groups: Annotated[tuple[Label, ...], Field(min_length=1)]
    measure: Label
    """A curve gives bands over its x, a number a point with its interval for each group."""
    x_label: Label = "real interactions"
    ledger: bool = False
    """Whether what each group spent stands below: interactions, imagined transitions, gradient steps, time."""


class ClaimForm(Part):
    """A comparison: the measure of ``higher`` exceeds that of ``lower`` by more than ``margin``.

    With several groups on a side, the first of one is compared with the first of the other, and so on, and all pairs
    together make the effect.
    """

    claim: Label
    """Its name."""
    says: Label | None = None
    """In words."""
    axes: dict[Word, Axis] = Field(default={}, alias="for")
    """A claim for each combination."""
    measure: Label
    higher: Groups
    lower: Side
    """Groups, or a number."""
    margin: Value = 0.0
    """A number or a parameter. Below zero it allows for that much less: that something is competitive."""


class Study(Part):
    """A study file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    description: str = ""
    parameters: dict[Word, Value]
    """Values that the rest refers to as ``{name}``. ``seeds`` is how many, ``first_seed`` the first, 0 without it."""
    smoke: dict[Word, Value] = {}
    """Parameters of a quick try."""
    runs: Annotated[tuple[Runs, ...], Field(min_length=1, max_length=200)]
    measures: dict[Word, Measure] = {}
    figures: Annotated[tuple[FigureForm, ...], Field(max_length=50)] = ()
    claims: Annotated[tuple[ClaimForm, ...], Field(max_length=200)] = ()


Verdict = Literal["holds", "fails", "undecided"]
