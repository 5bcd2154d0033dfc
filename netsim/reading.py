"""Text to nodes: the part of YAML 1.2 that scenario files are written in, with the place of every key and value.

No anchors, aliases, tags, directives or second documents, every key plain text and given once, and nothing larger than
:mod:`netsim.limits` allows. What breaks a rule becomes a fault and reading goes on; only what breaks a limit or the
grammar ends it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from netsim import limits
from netsim.faults import Fault, Mark, shortened
from netsim.nodes import Entry, List, Mapping, Node, PlainScalar, Text

MAX_DIGITS = 30
MAX_LINES = 2 * limits.MAX_NODES
MAX_LINE_CHARS = 16 * limits.MAX_SCALAR_CHARS


@dataclass
class Reading:
    """What was read of a text: its root, ``None`` if there is none to work with, and the faults met."""

    root: Node | None
    faults: list[Fault] = field(default_factory=list)


def read(text: str, file: str, line: int = 1) -> Reading:
    """Read one document. ``line`` 0 marks what did not come from a file."""
    fault = _unreadable(text, Mark(file, line, line))
    if fault is not None:
        return Reading(None, [fault])
    builder = _Builder(file, line)
    try:
        for event in _events(text):
            builder.take(event)
    except _Refused as refused:
        return Reading(None, [*builder.faults, refused.fault])
    except Exception as error:  # whatever the parser raises about a text is a fault of the text
        return Reading(None, [*builder.faults, _syntax_fault(error, builder)])
    return Reading(builder.root, builder.faults)


# -- scalars

_CONSTANTS: dict[str, PlainScalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def scalar(text: str) -> PlainScalar:
    """The value of a plain scalar by the core schema of YAML 1.2.2, clause 10.3.

    >>> [scalar(text) for text in ("1e-3", "0x1F", "no", "~", "20 MHz")]
    [0.001, 31, 'no', None, '20 MHz']

    Raises
    ------
    ValueError
        For a number that is not finite or has more digits than any quantity needs.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("must be a finite number")
    if not (is_integer := _INTEGER.fullmatch(text)) and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError(f"must be a number of at most {MAX_DIGITS} digits")
    return int(text, _base(text)) if is_integer else _finite(float(text))


def _base(text: str) -> int:
    return {"0o": 8, "0x": 16}.get(text[:2], 10)


def _finite(number: float) -> float:
    if number in (float("inf"), float("-inf")):
        raise ValueError("must be a finite number")
    return number


# -- limits that need no parser

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_LONG_LINE = re.compile(rf"^.{{{MAX_LINE_CHARS}}}.", re.MULTILINE)


def _unreadable(text: str, mark: Mark) -> Fault | None:
    """What keeps a text from being given to the parser, whose time these limits bound."""
    if len(text) > limits.MAX_FILE_BYTES:
        return mark.fault("file", f"must have at most {limits.MAX_FILE_BYTES} bytes")
    if text.count("\n") + text.count("\r") > MAX_LINES:
        return mark.fault("file", f"must have at most {MAX_LINES} lines")
    for pattern, rule in (
        (_UNPRINTABLE, "must hold no control characters"),
        (_DIRECTIVE, "must have no directives (lines that begin with %)"),
        (_LONG_LINE, f"must have lines of at most {MAX_LINE_CHARS} characters"),
    ):
        if match := pattern.search(text):
            return _mark_at(text, match.start(), mark).fault("file", rule)
    return None


def _mark_at(text: str, index: int, first: Mark) -> Mark:
    if not first.line:
        return first
    before = text[:index]
    return Mark(first.file, before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


# -- events to nodes


class _Refused(Exception):
    """A limit was passed: reading ends with this fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML  # read only when a file is: it costs more than all the rest of netsim's import

    return iter(YAML(typ="safe", pure=True).parse(text))


def _syntax_fault(error: Exception, builder: "_Builder") -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "context", None) or "it cannot be parsed"
    return builder.mark(mark).fault("file", f"must be YAML: {shortened(str(problem))}")


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come; of a mapping, the key that waits for its value."""

    node: Mapping | List
    name: str
    """Its own key in what holds it."""
    key: str | None = None
    key_mark: Mark | None = None


class _Builder:
    """Builds nodes from the parser's events, without recursion."""

    def __init__(self, file: str, line: int) -> None:
        self.file, self.first_line = file, line
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self._open: list[_Open] = []
        self._count = self._documents = 0

    def mark(self, mark: Any) -> Mark:
        """A mark of the parser as one of ours."""
        if mark is None or not self.first_line:
            return Mark(self.file, self.first_line, self.first_line)
        return Mark(self.file, mark.line + 1, mark.column + 1)

    def take(self, event: Any) -> None:
        """Take the next event."""
        handler = _HANDLERS.get(type(event).__name__)
        if handler is not None:
            handler(self, event, self.mark(event.start_mark))

    def document(self, event: Any, mark: Mark) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _Refused(mark.fault("file", "must be a single document"))

    def alias(self, event: Any, mark: Mark) -> None:
        self._fault(mark, "must be written out: aliases are not allowed", f"*{shortened(str(event.anchor))}")
        self._put(Text(None, "", mark))

    def scalar(self, event: Any, mark: Mark) -> None:
        self._count_node(event, mark)
        self._put(self._text(event, mark))

    def mapping(self, event: Any, mark: Mark) -> None:
        self._begin(event, Mapping({}, mark, bool(event.flow_style)))

    def sequence(self, event: Any, mark: Mark) -> None:
        self._begin(event, List([], mark, bool(event.flow_style)))

    def end(self, event: Any, mark: Mark) -> None:
        self._open.pop()

    def _begin(self, event: Any, node: Mapping | List) -> None:
        self._count_node(event, node.mark)
        name = self._here()
        self._put(node)
        self._open.append(_Open(node, name))
        if len(self._open) > limits.MAX_DEPTH:
            raise _Refused(node.mark.fault("file", f"must be nested at most {limits.MAX_DEPTH} deep"))

    def _count_node(self, event: Any, mark: Mark) -> None:
        self._count += 1
        if self._count > limits.MAX_NODES:
            raise _Refused(mark.fault("file", f"must have at most {limits.MAX_NODES} keys and values"))
        if event.anchor is not None:
            self._fault(mark, "must have no anchor", f"&{shortened(str(event.anchor))}")
        if event.ctag is not None:
            self._fault(mark, "must have no tag", shortened(str(event.ctag)))

    def _text(self, event: Any, mark: Mark) -> Text:
        text = event.value
        try:
            if len(text) > limits.MAX_SCALAR_CHARS:
                raise ValueError(f"must have at most {limits.MAX_SCALAR_CHARS} characters")
            # A key is text whatever it looks like; so is what stands in quotes or in a block.
            is_text = event.style is not None or self._expects_key()
            return Text(text if is_text else scalar(text), text, mark)
        except ValueError as error:
            self._fault(mark, str(error), shortened(text))
            return Text(None, text, mark)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node, Mapping) and self._open[-1].key_mark is None

    def _put(self, node: Node) -> None:
        """Put a finished scalar or a container just begun where it belongs."""
        if not self._open:
            self.root = node
        elif isinstance(parent := self._open[-1].node, List):
            parent.items.append(node)
        elif self._expects_key():
            self._put_key(node)
        else:
            self._put_value(parent, node)

    def _put_key(self, node: Node) -> None:
        """Remember the key; one that cannot be a key is remembered as ``None``, and its value is left out."""
        self._open[-1].key_mark = node.mark
        if not isinstance(node, Text):
            self._fault(node.mark, "must have keys of plain text")
        elif node.text == "<<" and node.value == "<<":
            self._fault(node.mark, "must be written out: merge keys are not allowed", "<<")
        elif isinstance(node.value, str):
            self._open[-1].key = node.value

    def _put_value(self, parent: Mapping, node: Node) -> None:
        frame = self._open[-1]
        key, mark, frame.key, frame.key_mark = frame.key, frame.key_mark, None, None
        if key is None or mark is None:
            return
        if isinstance(node, Text) and node.value is None and not node.text:
            node.mark = mark  # the parser puts what is empty at the next key
        if key in parent.entries:
            first = parent.entries[key].mark
            self.faults.append(mark.fault(self._path(key), f"must be given once, but line {first.line} has it too"))
            return
        parent.entries[key] = Entry(node, mark)

    def _here(self) -> str:
        """Name of what comes next: a waiting key, a number in a list, or nothing where a key is due."""
        if not self._open:
            return ""
        frame = self._open[-1]
        return str(len(frame.node.items)) if isinstance(frame.node, List) else frame.key or ""

    def _path(self, last: str) -> str:
        """The key path of ``last`` in the container that is open."""
        return ".".join(shortened(name) for name in (*(frame.name for frame in self._open), last) if name) or "scenario"

    def _fault(self, mark: Mark, rule: str, value: str | None = None) -> None:
        self.faults.append(mark.fault(self._path(self._here()), rule, value))


_HANDLERS = {
    "DocumentStartEvent": _Builder.document,
    "AliasEvent": _Builder.alias,
    "ScalarEvent": _Builder.scalar,
    "MappingStartEvent": _Builder.mapping,
    "SequenceStartEvent": _Builder.sequence,
    "MappingEndEvent": _Builder.end,
    "SequenceEndEvent": _Builder.end,
}
