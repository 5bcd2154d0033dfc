"""The mutants: Cosmic Ray's operators, and two of our own for statements that update state.

Cosmic Ray rather than mutmut, because mutmut 3 leaves decorated functions out, and every kernel is decorated. Its
operators make the mutants; they are run by :mod:`tests.gallery.workbench`, which needs milliseconds for one where
Cosmic Ray's own runner would start Python and import netsim for each.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import ExprStmt, Keyword, Name, PythonNode
from parso.python.tree import Operator as Token

from tests.gallery.patching import source_of

MODULES = ("netsim.sla", "netsim.queues", "netsim.scheduling", "netsim.kernel")
ELSEWHERE = {"netsim.kernel": ("fade", "probe", "advance_many", "close_many")}
"""Functions left out: the channel's, the fingerprint's, and those that hand many cells to another thread."""
FINGERPRINT = ("marks.", "probe(cell, s)")
"""Statements left out: they leave nothing but the fingerprint, which has golden tests of its own."""
COMPILED_ONLY = {
    "share_seen": ("seen, grants = cell.seen.ctypes", "call_share(", "if not shares_all(", "clock.misgranted = "),
    "run_slice": ("if cell.clock[0].misgranted",),
    "advance": ("if clock.misgranted",),
}
"""Statements left out, by function: a compiled scheduler is called by its address, which plain Python cannot do."""

ARITHMETIC = {"Add": ("Sub",), "Sub": ("Add",), "Mul": ("Div",), "Div": ("Mul", "FloorDiv"), "FloorDiv": ("Mul", "Div"),
              "Mod": ("Mul", "FloorDiv")}  # fmt: skip
COMPARISONS = ("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE")
OTHERS = (
    "NumberReplacer",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_USub",
    "ZeroIterationForLoop",
)


class SwapAugmented(Operator):  # type: ignore[misc]  # Cosmic Ray is untyped
    """``x += y`` becomes ``x -= y`` and the other way round."""

    SWAPPED = {"+=": "-=", "-=": "+="}  # noqa: RUF012  # a table

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if isinstance(node, Token) and node.value in self.SWAPPED:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.value = self.SWAPPED[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x += y", "x -= y"),)


class DeleteStatement(Operator):  # type: ignore[misc]
    """A call, or an assignment to an attribute or an element, becomes ``pass``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if getattr(node.parent, "type", None) == "simple_stmt" and self._updates_state(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)

    def _updates_state(self, node: Any) -> bool:
        if isinstance(node, ExprStmt):
            return not isinstance(node.children[0], Name)
        return isinstance(node, PythonNode) and node.type == "atom_expr"

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x.y = z", "pass"),)


OWN: dict[str, Any] = {"own/SwapAugmented": SwapAugmented, "own/DeleteStatement": DeleteStatement}


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    module: str
    function: str
    operator: str
    nth: int
    """Among the mutants of the operator that read alike."""
    line: int
    before: str
    after: str
    text: str
    """The module's whole source with the change."""

    @property
    def place(self) -> str:
        """Function as outcomes of the workbench name it."""
        return f"{self.module.split('.')[1]}.py:{self.function}"

    @property
    def key(self) -> str:
        return f"{self.module}:{self.function}:{self.before} -> {self.after}"

    @property
    def touches_bounds(self) -> bool:
        """Whether it changes a comparison, or a number by one."""
        return "Comparison" in self.operator or "NumberReplacer" in self.operator


def operator_names() -> list[str]:
    """All operators used."""
    arithmetic = [f"ReplaceBinaryOperator_{a}_{b}" for a, others in ARITHMETIC.items() for b in others]
    comparisons = [f"ReplaceComparisonOperator_{a}_{b}" for a in COMPARISONS for b in COMPARISONS if a != b]
    return [*OWN, *(f"core/{name}" for name in (*arithmetic, *comparisons, *OTHERS))]


def mutants(module: str) -> Iterator[Mutant]:
    """The mutants of a module, those outside of functions excepted."""
    text = source_of(module)
    for name in operator_names():
        operator = OWN[name]() if name in OWN else get_operator(name)()
        tree = get_ast(text)
        alike = Counter[tuple[str, str, str]]()
        places = [(node, at) for node in ast_nodes(tree) for at in operator.mutation_positions(node)]
        for occurrence, (node, ((line, _), _)) in enumerate(places):
            function = _function_of(node)
            if function is not None and function not in ELSEWHERE.get(module, ()):
                mutated = mutate_code(text, operator, occurrence)
                before, after = _changed_lines(text, mutated)
                if not before.startswith((*FINGERPRINT, *COMPILED_ONLY.get(function, ()))):
                    alike[function, before, after] += 1
                    nth = alike[function, before, after]
                    yield Mutant(module, function, name, nth, line, before, after, mutated)


def _function_of(node: Any) -> str | None:
    """The function in whose body a node is; signatures and decorators are in none."""
    while node.parent is not None:
        if node.type == "suite" and node.parent.type == "funcdef":
            return str(node.parent.name.value)
        node = node.parent
    return None


def _changed_lines(text: str, mutated: str) -> tuple[str, str]:
    """The lines that differ, from the first to the last, each side as one line."""
    old, new = text.splitlines(), mutated.splitlines()
    first = next(i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    last = next(i for i, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b)
    sides = (" ".join(line.strip() for line in side[first : max(len(side) - last, first)]) for side in (old, new))
    return next(sides), next(sides)
