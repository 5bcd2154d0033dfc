"""Settings: what all configurations are, and ``key=value`` from the command line for their fields."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netsim.errors import InputError
from netsim.loadobject import suggestion

Config = TypeVar("Config", bound=BaseModel)
Whole = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """A configuration: a value that cannot exist invalid, and is not changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def settings_of(owner: str, config: type[Config], texts: Iterable[str]) -> Config:
    """A configuration with some fields given as ``key=value``.

    A value with commas is a sequence, ``64,`` of one; ``none`` is ``None``. A key with dots is a field of a part:
    ``twin.outcome.members=5``.

    Raises
    ------
    InputError
        A field is unknown or its value is wrong; the message has a line for each.
    """
    given: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{owner}: a setting is written key=value, got {text!r}")
        _put(owner, given, key, _value(value))
    return checked(owner, config, given)


def _value(text: str) -> str | list[str] | None:
    if text.lower() == "none":
        return None
    return text.removesuffix(",").split(",") if "," in text else text


def _put(owner: str, given: dict[str, Any], key: str, value: Any) -> None:
    *parts, last = key.split(".")
    place = given
    for part in parts:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise InputError(f"{owner}.{key}: {part} is given a value and parts of its own")
    if last in place:
        raise InputError(f"{owner}.{key}: is given twice")
    place[last] = value


def checked(owner: str, config: type[Config], given: dict[str, Any]) -> Config:
    """A configuration from plain values.

    Raises
    ------
    InputError
        A field is unknown or its value is wrong; the message has a line for each.
    """
    try:
        return config(**given)
    except ValidationError as error:
        raise InputError("\n".join(_fault(owner, config, each) for each in error.errors())) from None


def _fault(owner: str, config: type[BaseModel], error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        fields = _fields(config, error["loc"][:-1])
        return (
            f"{owner}: unknown setting {key!r}{suggestion(str(error['loc'][-1]), fields)}; known: {', '.join(fields)}"
        )
    return f"{owner}.{key}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _fields(config: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The fields of a part of a configuration."""
    for name in path:
        part = config.model_fields[str(name)].annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            config = part
    return list(config.model_fields)


def checked_device(device: str) -> str:
    """The device, if networks can be put there.

    Raises
    ------
    InputError
        Saying why they cannot.
    """
    import torch

    try:
        torch.zeros(1, device=device).cpu()  # some, as `meta`, take numbers and do not give them back
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"device {device!r} cannot be used: {why}; `--device cpu` works everywhere") from None
    return device
