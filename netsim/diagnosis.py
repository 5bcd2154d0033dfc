"""From pydantic's errors to faults: where in the file each one is, and what to call the rule that was broken."""

import copy
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag

from netsim import nodes
from netsim.faults import Fault, closest, one_of, shortened
from netsim.nodes import shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DISCRIMINATORS = ("kind", "model", "distribution")

_RULES = {
    "missing": "is required",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_pattern_mismatch": "must be at most 64 letters, digits, '.', '_' or '-', of which the first is no sign",
}
_KEY_PATTERN = "must be a name: a letter, then at most 31 letters, digits, '_' or '-'"


def translated(error: "ErrorDetails", model: type[BaseModel], root: nodes.Node) -> Iterator[Fault]:
    """The faults that one of pydantic's errors about ``root``, read as ``model``, stands for: none, one or several."""
    place = _Place(root, model)
    for element in error["loc"]:
        place.enter(element)
    make = _MAKERS.get(error["type"], _ruled)
    yield from make(place, error)


class _Place:
    """Where pydantic's ``loc`` leads: through the nodes of the file and the types of the model at once."""

    def __init__(self, root: nodes.Node, model: Any) -> None:
        self.node: nodes.Node | None = root
        self.mark = self.key_mark = root.mark
        self.path: list[str] = []
        self.type = self.owner = _bare(model)
        self.siblings: tuple[str, ...] = ()
        self.alternative = False
        self.is_key = False

    @property
    def key(self) -> str:
        return ".".join(shortened(name) for name in self.path) or "scenario"

    def enter(self, element: str | int) -> None:
        """Go one step down. The tag of a union is a step in the types only, ``[key]`` is one back to the key."""
        if element == "[key]":
            self.is_key = True
        elif _is_choice(self.type):
            self.alternative = not _choices(self.type)
            self.type = _bare(_member(self.type, str(element)))
        else:
            self._descend(element)

    def _descend(self, element: str | int) -> None:
        self.path.append(str(element))
        self.owner, self.siblings = self.type, tuple(getattr(self.node, "entries", ()))
        self.type = _bare(_part(self.type, element))
        entry = nodes.child(self.node, str(element))
        self.node = entry.node if entry else None
        # What is absent is missed at the key of the mapping that should have it.
        self.mark, self.key_mark = (entry.node.mark, entry.mark) if entry else (self.key_mark, self.key_mark)

    def fault(self, rule: str, suggestion: str | None = None) -> Fault:
        """The fault that the value here breaks ``rule``."""
        return self.mark.fault(self.key, rule, shown(self.node), suggestion)

    def below(self, key: str) -> "_Place":
        """The place of a key of the mapping here, which may be absent."""
        deeper = copy.copy(self)
        deeper.path = list(self.path)
        deeper._descend(key)
        return deeper


def _bare(annotation: Any) -> Any:
    """A type less its metadata and less ``None``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif _is_choice(annotation) and len(_members(annotation)) == 1:
            annotation = _members(annotation)[0]
        else:
            return annotation


def _is_choice(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _members(choice: Any) -> list[Any]:
    return [member for member in get_args(choice) if member is not types.NoneType]


def _member(choice: Any, tag: str) -> Any:
    """The member of a union that pydantic calls ``tag``."""
    return next((member for member in _members(choice) if tag in _tags(member) or _told_by_form(member, tag)), Any)


def _tags(member: Any) -> tuple[str, ...]:
    """The names that choose this member of a tagged union."""
    named = [m.tag for m in getattr(member, "__metadata__", ()) if isinstance(m, Tag)]
    return tuple(named) or get_args(_discriminator(member)[1])


def _told_by_form(member: Any, tag: str) -> bool:
    """Members of an untagged union go by their form, like ``tuple[int, ...]`` or ``literal['equal']``."""
    origin = get_origin(_bare(member))
    return (origin is tuple and tag.startswith("tuple")) or (origin is Literal and tag.startswith("literal"))


def _discriminator(member: Any) -> tuple[str, Any]:
    """Key and type of what chooses a member of a tagged union."""
    fields = getattr(_bare(member), "model_fields", {})
    return next(((key, fields[key].annotation) for key in DISCRIMINATORS if key in fields), ("", None))


def _choices(choice: Any) -> tuple[str, ...]:
    """Every name that chooses a member of a tagged union, the plugged one aside; empty for an untagged one."""
    return tuple(tag for member in _members(choice) for tag in get_args(_discriminator(member)[1]))


def _part(annotation: Any, element: str | int) -> Any:
    """The type of an entry of a model, mapping or list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        named = (f.annotation for name, f in annotation.model_fields.items() if (f.alias or name) == element)
        return next(named, Any)
    args = get_args(annotation)
    return {dict: args[-1:], tuple: args[:1]}.get(get_origin(annotation), (Any,))[0]


def keys_of(model: Any) -> list[str]:
    """The keys a part of a scenario may have, as files write them."""
    return [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]


def _ruled(place: _Place, error: "ErrorDetails") -> Iterator[Fault]:
    limits_of = {key: _number(value) for key, value in error.get("ctx", {}).items()}
    known = _RULES.get(error["type"])
    rule = known.format_map(limits_of) if known else f"is wrong: {error['msg']}"
    if place.is_key:
        yield place.key_mark.fault(place.key, _KEY_PATTERN)
    elif not (place.alternative and error["type"] == "tuple_type" and isinstance(place.node, nodes.Text)):
        yield place.fault(rule)


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _unknown(place: _Place, error: "ErrorDetails") -> Iterator[Fault]:
    known, word = keys_of(place.owner), place.path[-1]
    suggestion = closest(word, [key for key in known if key not in place.siblings]) or closest(word, known)
    rule = "is not a known key" + ("" if suggestion or not known else f", which are {', '.join(known)}")
    yield place.key_mark.fault(place.key, rule, None, suggestion)


def _literal(place: _Place, error: "ErrorDetails") -> Iterator[Fault]:
    names = [str(name) for name in get_args(place.type)]
    rule = one_of(names) + (" or a list of whole numbers" if place.alternative else "")
    if not place.alternative or isinstance(place.node, nodes.Text):
        yield place.fault(rule, _meant(place.node, names))


def _meant(node: nodes.Node | None, names: Sequence[str]) -> str | None:
    return closest(node.value, names) if isinstance(node, nodes.Text) and isinstance(node.value, str) else None


def _choice(place: _Place, error: "ErrorDetails") -> Iterator[Fault]:
    """The fault of a tagged union whose tag is wrong, absent, or has no place to stand."""
    names, key = _choices(place.type), _discriminator(_members(place.type)[0])[0]
    if not isinstance(place.node, nodes.Mapping):
        yield place.fault(f"must be a mapping with `{key}`, one of {', '.join(names)}")
    elif key not in place.node.entries:
        yield place.below(key).fault(f"is required, one of {', '.join(names)}")
    else:
        chosen = place.below(key)
        yield chosen.fault(one_of(names), _meant(chosen.node, names))


_NAMED = re.compile(r"`([a-z_]+)` ((?:must|is) .*)")
_LEADING_KEY = re.compile(r"([a-z_][\w-]*(?:\.[\w-]+)*):? (.*)")
_NEXT_FAULT = re.compile(r"; (?=(?:carrier|control|channel|slices|users|events|utility|reward)\b)")


def _refused(place: _Place, error: "ErrorDetails") -> Iterator[Fault]:
    """The faults of a validator's own message, which may name the key it is about."""
    message = error["msg"].removeprefix("Value error, ")
    if not place.path:
        for text in _NEXT_FAULT.split(message):
            yield _of_whole(place, text)
        return
    named = _NAMED.fullmatch(message)
    yield place.below(named[1]).fault(named[2]) if named else place.fault(message)


def _of_whole(place: _Place, text: str) -> Fault:
    """A fault of the scenario as a whole, put at the key that its text begins with."""
    key, rule = match.groups() if (match := _LEADING_KEY.fullmatch(text)) else ("", text)
    for element in key.split("."):
        entry = nodes.child(place.node, element)
        if entry is None:
            break
        place = place.below(element)
    return place.mark.fault(key or place.key, rule)


_MAKERS: Mapping[str, Any] = {
    "extra_forbidden": _unknown,
    "literal_error": _literal,
    "union_tag_invalid": _choice,
    "union_tag_not_found": _choice,
    "missing_kind": _choice,
    "model_attributes_type": _choice,
    "value_error": _refused,
}
