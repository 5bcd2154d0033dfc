"""The nodes of a scenario file: values that remember where they stand."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from netsim.faults import Mark, shortened, shown_text

PlainScalar: TypeAlias = bool | int | float | str | None


@dataclass(slots=True)
class Text:
    """A scalar: its value, and how the file writes it."""

    value: PlainScalar
    text: str
    mark: Mark


@dataclass(slots=True)
class List:
    """A sequence."""

    items: "list[Node]"
    mark: Mark
    flow: bool = True


@dataclass(slots=True)
class Entry:
    """A value and the place of its key."""

    node: "Node"
    mark: Mark


@dataclass(slots=True)
class Mapping:
    """A mapping, in the order of the file."""

    entries: dict[str, Entry]
    mark: Mark
    flow: bool = True


Node: TypeAlias = Text | List | Mapping


def plain(node: Node) -> Any:
    """The node as plain Python values."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    return [plain(item) for item in node.items] if isinstance(node, List) else node.value


def child(node: Node | None, key: str) -> Entry | None:
    """The entry of a mapping, or of a list by its number; ``None`` if there is none."""
    if isinstance(node, Mapping):
        return node.entries.get(key)
    if isinstance(node, List) and key.isdecimal() and len(key) <= 9 and int(key) < len(node.items):
        item = node.items[int(key)]
        return Entry(item, item.mark)
    return None


def shown(node: Node | None) -> str | None:
    """The value of a node as messages show it; ``None`` for a mapping, whose writing would not help."""
    if isinstance(node, Text):
        return shown_text(node.value) if isinstance(node.value, str) else shortened(node.text or "null")
    return f"a list of {len(node.items)}" if isinstance(node, List) else None
