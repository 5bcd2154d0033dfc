"""Directives that write reference pages from the code: ``commands``, ``settings``, ``scenario-keys``, ``study-keys``.

Each makes Markdown and has it parsed where the directive stands, so that headings, links and the search index are those
of any page.
"""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

import click
from docutils import nodes
from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

Entry = tuple[str, str, str]
"""A term, what is said of it in a few words beside it, and the text below."""


class Generated(SphinxDirective):
    """A directive whose content is Markdown made from the code."""

    def run(self) -> list[nodes.Node]:
        """The nodes of the text."""
        text = "\n".join(self.lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)

    def lines(self) -> Iterator[str]:
        """The text."""
        raise NotImplementedError


def listed(entries: Iterable[Entry]) -> Iterator[str]:
    """A definition list: the text, then the few words."""
    for term, beside, below in entries:
        facts = f"{beside[:1].upper()}{beside[1:]}." if beside else ""
        first, *others = [*below.split("\n"), facts] if below else [facts or "See below."]
        yield f"`{term}`"
        yield f": {first}"
        yield from (f"  {line}" for line in others if line)
        yield ""


def _coded(words: Iterable[object]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def plain(text: str) -> str:
    """A docstring as Markdown: roles of reStructuredText become code."""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.cleandoc(text))


# -- the command line --------------------------------------------------------------------------------------------------


class Commands(Generated):
    """Every command of netsim, those of plugins included, as its help has it."""

    def lines(self) -> Iterator[str]:
        """A section a command."""
        from netsim.cli import netsim

        context = click.Context(netsim, info_name="netsim")
        for name in netsim.list_commands(context):
            command = netsim.get_command(context, name)
            assert command is not None
            yield from _command(command, click.Context(command, info_name=name, parent=context), 2)


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} `{context.command_path}`", "")
    if isinstance(command, click.Group):
        yield from (plain(command.help or ""), "")
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _command(child, click.Context(child, info_name=name, parent=context), level + 1)
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("```text", f"{context.command_path} {usage}", "```", "", plain(command.help or ""), "")
    yield from listed(_option(option, context) for option in command.params if isinstance(option, click.Option))


def _option(option: click.Option, context: click.Context) -> Entry:
    shown = option.get_help_record(context)
    assert shown is not None
    names, about = shown
    found = re.search(r"\[(.*)\]$", about)
    beside = "; ".join(filter(None, map(_extra, found[1].split("; ")))) if found else ""
    text = about[: found.start()].rstrip() if found else about
    if isinstance(option.type, click.Choice):
        names = names.replace(f"[{'|'.join(option.type.choices)}]", option.human_readable_name.upper())
        beside = f"one of {_coded(option.type.choices)}" + (f"; {beside}" if beside else "")
    return names, beside, text


def _extra(text: str) -> str:
    """What click says in brackets, in words; no bound that nobody meets."""
    if text.startswith("default: "):
        return text.replace("default: ", "default ")
    bounds = re.fullmatch(r"(?:(\d+)<=)?x(?:<=|>=)?(\d+)?", text)
    if bounds is None:
        return text.replace("x>", "above ")
    low, high = bounds[1], bounds[2]
    if "x>=" in text:
        return f"at least {high}"
    if high is None or int(high) >= 10**9:
        return f"at least {low}" if low != "0" else ""
    return f"{low} to {int(high):,}"


# -- pydantic models ---------------------------------------------------------------------------------------------------


class Settings(Generated):
    """The fields of a configuration: ``{settings} rl.training:TrainingConfig``. Fields of parts follow, with dots."""

    required_arguments = 1

    def lines(self) -> Iterator[str]:
        """A definition list."""
        module, _, name = self.arguments[0].partition(":")
        yield from listed(_fields(getattr(importlib.import_module(module), name)))


def _fields(model: type[BaseModel], before: str = "") -> Iterator[Entry]:
    about = documented(model)
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{before}{name}.")
            continue
        default = "required" if field.is_required() else _written(field.default)
        choices = [str(each) for each in get_args(kind)] if str(get_origin(kind)) == "typing.Literal" else []
        beside = "; ".join(filter(None, (f"one of {_coded(choices)}" if choices else "", default)))
        yield f"{before}{field.alias or name}", beside, about.get(name, "")


def _written(value: object) -> str:
    """A default as one would type it."""
    if value is None or value == "" or value == () or value == {}:
        return "nothing by default"
    return f"default `{','.join(map(str, value)) if isinstance(value, tuple) else value}`"


def documented(model: type) -> dict[str, str]:
    """Field -> the docstring below it, those of base classes included."""
    from sphinx.pycode import ModuleAnalyzer

    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if each.__module__.partition(".")[0] in ("netsim", "rl", "twin"):
            comments = ModuleAnalyzer.for_module(each.__module__).find_attr_docs()
            found |= {
                name: plain("\n".join(text)) for (owner, name), text in comments.items() if owner == each.__qualname__
            }
    return found


class StudyKeys(Generated):
    """The keys of study files."""

    def lines(self) -> Iterator[str]:
        """A section a part."""
        from netsim.studies import form

        for part, heading in (
            (form.Study, "The file"),
            (form.Runs, "`runs`"),
            (form.Measure, "`measures`"),
            (form.FigureForm, "`figures`"),
            (form.ClaimForm, "`claims`"),
        ):
            yield from (f"## {heading}", "", plain(part.__doc__ or ""), "")
            yield from listed(_fields(part))


# -- scenario files ----------------------------------------------------------------------------------------------------

PARTS = {
    "Carrier": "`carrier`",
    "Control": "`control`",
    "Channel": "`channel`",
    "Slice": "`slices`",
    "Utility": "`utility`",
    "Reward": "`reward`",
    "Event": "`events`",
}
"""Parts of a scenario that have a heading of their own; those they refer to follow each."""


class ScenarioKeys(Generated):
    """The keys of scenario files, from the JSON Schema that ``netsim schema`` prints."""

    def lines(self) -> Iterator[str]:
        """A section a part."""
        from netsim.schema import scenario_schema

        schema = scenario_schema()
        yield from ("## The file", "", *listed(_keys(schema)))
        told: set[str] = set(PARTS)
        for name, heading in PARTS.items():
            yield from _part(schema["$defs"], name, f"## {heading}")
            yield from _below(schema["$defs"], name, told)


def _below(parts: Mapping[str, Any], name: str, told: set[str]) -> Iterator[str]:
    """Parts that a part refers to and that no section has told yet. Laws of sizes are those of times."""
    for child in _referred(parts[name]):
        if child not in told and not child.endswith("Size"):
            told.add(child)
            yield from _part(parts, child, f"### {_called(parts, child)}")
            yield from _below(parts, child, told)


def _referred(part: object) -> list[str]:
    """Names of the parts that a part of the schema refers to, in order."""
    found = re.findall(r"'\$ref': '#/\$defs/(\w+)'", str(part))
    return list(dict.fromkeys(found))


def _called(parts: Mapping[str, Any], name: str) -> str:
    """A heading for a part: what chooses it in a file, else its name in words."""
    for key in ("kind", "model", "distribution"):
        chosen = parts[name].get("properties", {}).get(key, {})
        if "const" in chosen:
            return f"`{key}: {chosen['const']}`"
        if chosen and name.startswith("Plugged"):
            return f"`{key}: a plugin`, {name.removeprefix('Plugged').replace('PathLoss', 'path loss').lower()}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _part(parts: Mapping[str, Any], name: str, heading: str) -> Iterator[str]:
    part = parts[name]
    yield from (heading, "", plain(part.get("description", "")), "", *listed(_keys(part)))


def _keys(part: Mapping[str, Any]) -> Iterator[Entry]:
    for key, schema in part.get("properties", {}).items():
        if "const" in schema:
            continue  # the heading says it
        default = schema.get("default")
        needed = "required" if key in part.get("required", ()) else _inline(default)
        yield key, "; ".join(filter(None, (_form(schema), needed))), _about(schema)


def _inline(default: object) -> str:
    if default is None or default == [] or default == "":
        return "nothing by default"
    if isinstance(default, Mapping):
        chosen = [f"{key}: {value}" for key, value in default.items() if key in ("kind", "model")]
        return f"default {chosen[0]}, below" if chosen else "see below; without it, all defaults"
    return f"default {str(default).lower() if isinstance(default, bool) else default}"


def _about(schema: Mapping[str, Any]) -> str:
    text = schema.get("description", "")
    return "" if " with its unit, like " in text else plain(text)


def _form(schema: Mapping[str, Any]) -> str:
    """What a value looks like, in words."""
    if "enum" in schema:
        return f"one of {_coded(schema['enum'])}"
    if "anyOf" in schema:
        return " or ".join(filter(None, (_form(each) for each in schema["anyOf"] if each.get("type") != "null")))
    if "const" in schema:
        return _coded([schema["const"]])
    if "examples" in schema:
        return _quantity(schema["examples"][0])
    if schema.get("type") in ("integer", "number"):
        return _range("whole number" if schema["type"] == "integer" else "number", schema)
    if schema.get("type") == "boolean":
        return "true or false"
    if schema.get("type") == "array":
        return "list" + (f", each a {each}" if (each := _form(schema["items"])) else " of parts")
    return ""


def _quantity(example: str) -> str:
    from netsim.units import DIMENSIONS

    [name] = [dimension.name for dimension in DIMENSIONS if dimension.example == example]
    return f"{name}, like {example}"


def _range(what: str, schema: Mapping[str, Any]) -> str:
    low, above, high = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    least = f"above {above:g}" if above is not None else f"from {low:,}" if low is not None else ""
    most = f"to {high:,}" if isinstance(high, int) else f"to {high:g}" if high is not None else ""
    return " ".join(filter(None, (what, least, most)))


# -- docstrings of attributes ------------------------------------------------------------------------------------------


class Attributes:
    """Keeps docstrings of attributes as they are: napoleon takes what stands before a colon for a type."""

    KINDS = ("attribute", "data", "property")

    def __init__(self) -> None:
        self._lines: list[str] = []

    def keep(self, app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
        """Before napoleon."""
        self._lines = list(lines)

    def put_back(self, app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
        """After it."""
        if what in self.KINDS:
            lines[:] = self._lines


def without_arguments(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """A protocol is not made, so it shows no arguments."""
    return ("", returns) if what == "class" and getattr(obj, "_is_protocol", False) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Name the directives."""
    attributes = Attributes()
    app.connect("autodoc-process-signature", without_arguments)
    app.connect("autodoc-process-docstring", attributes.keep, priority=400)
    app.connect("autodoc-process-docstring", attributes.put_back, priority=600)
    app.add_directive("commands", Commands)
    app.add_directive("settings", Settings)
    app.add_directive("study-keys", StudyKeys)
    app.add_directive("scenario-keys", ScenarioKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
