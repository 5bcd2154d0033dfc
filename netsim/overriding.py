"""Overrides: values given beside a scenario file, ``key.path=value``, put into its nodes before they are checked."""

from dataclasses import replace

from netsim import limits, nodes, reading
from netsim.faults import Fault, Mark

OVERRIDE = Mark("--set", 0, 0)


class _CannotSet(Exception):
    """The rule that the path of an override breaks."""


def override_faults(root: nodes.Node, override: str) -> list[Fault]:
    """Put one override into ``root``; what is wrong with it is returned, and the value then stays as it was.

    The value is a YAML scalar, or a list or mapping in brackets. Mappings on the way that are absent are made.
    """
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys) or len(keys) > limits.MAX_DEPTH:
        return [OVERRIDE.fault(path.strip() or "scenario", "must be key.path=value")]
    value = reading.read(text, OVERRIDE.file, line=0)
    if value.faults:
        return [replace(fault, key=path.strip()) for fault in value.faults]
    try:
        _put(root, keys, _flow(value.root))
    except _CannotSet as error:
        return [OVERRIDE.fault(path.strip(), str(error))]
    return []


def _flow(value: nodes.Node | None) -> nodes.Node:
    if isinstance(value, nodes.List | nodes.Mapping) and not value.flow:
        raise _CannotSet("must be one value, or a list or mapping in brackets")
    return value or nodes.Text(None, "", OVERRIDE)


def _put(root: nodes.Node, keys: list[str], value: nodes.Node) -> None:
    holder = root
    for key in keys[:-1]:
        holder = _inner(holder, key)
    _set(holder, keys[-1], value)


def _inner(holder: nodes.Node, key: str) -> nodes.Node:
    """What stands at ``key``; a new mapping where nothing does."""
    entry = nodes.child(holder, key)
    if entry is None or (isinstance(entry.node, nodes.Text) and entry.node.value is None):
        new = nodes.Mapping({}, OVERRIDE)
        _set(holder, key, new)
        return new
    return entry.node


def _set(holder: nodes.Node, key: str, value: nodes.Node) -> None:
    if isinstance(holder, nodes.Mapping):
        holder.entries[key] = nodes.Entry(value, OVERRIDE)
    elif isinstance(holder, nodes.List):
        if nodes.child(holder, key) is None:
            raise _CannotSet(f"must name an item of a list of {len(holder.items)} by its number from 0, got {key}")
        holder.items[int(key)] = value
    else:
        raise _CannotSet(f"must lead through mappings and lists, but there is one value above {key}")
