"""What a scenario can say, read off its models: every part, every word of a choice, every field."""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

# An option is a part ("Poisson"), a field with one of its words ("Channel.power = full"), or a field of which two
# values have been seen ("Sla.rate_floor_bps varies").
Seen = dict[str, set[str]]


def options(model: type[BaseModel], leaving_out: Mapping[str, str]) -> set[str]:
    """Every option of a model and of the models in it, less the fields named in ``leaving_out``."""
    found: set[str] = set()
    for part in reachable(model):
        found.add(part.__name__)
        for name, field in part.model_fields.items():
            if f"{part.__name__}.{name}" not in leaving_out:
                found |= {f"{part.__name__}.{name} {rest}" for rest in of_field(field.annotation)}
    return found


def reachable(kind: Any, seen: set[Any] | None = None) -> set[type[BaseModel]]:
    """The models that an annotation mentions, and those that these mention."""
    seen = set() if seen is None else seen
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            seen.add(kind)
            for field in kind.model_fields.values():
                reachable(field.annotation, seen)
    else:
        for argument in get_args(kind):
            reachable(argument, seen)
    return seen


def of_field(kind: Any) -> set[str]:
    """The words that a field can hold; ``varies`` for one that holds anything else than words and parts."""
    words = set(words_of(kind))
    return words if words else set() if reachable(kind) else {"varies"}


def words_of(kind: Any) -> Iterator[str]:
    if get_origin(kind) is Literal:
        yield from (f"= {word}" for word in get_args(kind))
    elif kind is bool:
        yield from ("= False", "= True")
    elif kind is type(None):
        yield "= None"
    elif get_origin(kind) is Annotated:
        yield from words_of(get_args(kind)[0])
    elif get_origin(kind) in (Union, types.UnionType):
        members = [list(words_of(member)) for member in get_args(kind)]
        yield from (word for words in members for word in words)
        if any(members) and not all(members):
            yield "is something else"


def told(part: Any, seen: Seen) -> None:
    """Add the options that a value shows: each with the values it had."""
    if isinstance(part, BaseModel):
        kind = type(part)
        seen.setdefault(kind.__name__, set()).add("")
        for name, field in kind.model_fields.items():
            value = getattr(part, name)
            seen.setdefault(f"{kind.__name__}.{name}", set()).add(repr(value))
            words, word = set(words_of(field.annotation)), f"= {value}"
            if words:
                seen.setdefault(f"{kind.__name__}.{name} {word if word in words else 'is something else'}", set())
            told(value, seen)
    elif isinstance(part, Mapping):
        for value in part.values():
            told(value, seen)
    elif isinstance(part, tuple):
        for value in part:
            told(value, seen)


def shown(seen: Seen) -> set[str]:
    """The options that have been seen, a field's variation from its second value on."""
    return set(seen) | {f"{name} varies" for name, values in seen.items() if len(values) > 1}
