"""Scenarios to text: YAML that loads back as an equal scenario, every default spelled out."""

import json
import re
from collections.abc import Iterator
from typing import Any

from netsim.reading import scalar
from netsim.scenario import Scenario

SCHEMA_COMMENT = "# yaml-language-server: $schema=scenario.schema.json"
_SAFE = re.compile(r"[A-Za-z0-9+.-][A-Za-z0-9 _./+-]*(?<! )")


def dump_scenario(scenario: Scenario) -> str:
    """The scenario as the text of a file; :func:`netsim.parse_scenario` reads an equal one from it."""
    return "\n".join([SCHEMA_COMMENT, *_lines(scenario.to_dict(), "")]) + "\n"


def _lines(value: dict[str, Any] | list[Any], indent: str) -> Iterator[str]:
    """The lines of a mapping or list in block style."""
    pairs = [(f"{_scalar(k)}:", v) for k, v in value.items()] if isinstance(value, dict) else [("-", v) for v in value]
    for lead, inner in pairs:
        if isinstance(inner, dict | list) and inner:
            yield f"{indent}{lead}"
            yield from _lines(inner, indent + "  ")
        else:
            yield f"{indent}{lead} {_scalar(inner)}"


def _scalar(value: Any) -> str:
    """One value, in quotes where it would not be read as the text it is."""
    if isinstance(value, str) and not _reads_as_text(value):
        return _quoted(value)
    return value if isinstance(value, str) else json.dumps(value)


def _reads_as_text(text: str) -> bool:
    try:
        return bool(_SAFE.fullmatch(text)) and not text.startswith(("- ", "---", "...")) and scalar(text) == text
    except ValueError:
        return False


def _quoted(text: str) -> str:
    """A double-quoted scalar; what is not plain ASCII is escaped, as YAML 1.2.2 clause 5.7 has it."""
    return "".join(c if " " <= c <= "~" else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
