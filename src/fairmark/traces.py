"""What a cell of the instructor's may see and what it may change, so that one that only looks can wait.

An instructor's cell such as ``print(mean_filter(image).mean())`` shows a student the own result. In the
examiner's room it has no purpose unless a later cell can tell whether it has run: everything here errs on
the side of running.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Modules whose functions change nothing but what they are given, and modules that keep figures and the like,
# which nobody sees without naming them.
_PURE = frozenset({"numpy", "scipy", "skimage", "math", "statistics", "pandas"})
_SHOWING = frozenset({"matplotlib", "seaborn", "IPython"})
# Parts of the former that do keep something.
_KEEPING = frozenset({"random", "seed", "seterr", "seterrcall", "set_printoptions", "set_option", "options"})
_HARMLESS = frozenset(
    {
        "abs",
        "all",
        "any",
        "bool",
        "complex",
        "dict",
        "display",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "int",
        "isinstance",
        "len",
        "list",
        "map",
        "max",
        "min",
        "pow",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
        "True",
        "False",
        "None",
    }
)
_IDLE_MAGIC = re.compile(r"^%(matplotlib|config|load_ext|autoreload)\b.*$", re.MULTILINE)
# Whoever names one of these may see everything.
_ALL_SEEING = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "globals",
        "locals",
        "vars",
        "dir",
        "get_ipython",
        "__import__",
        "__builtins__",
        "__main__",
        "sys",
        "gc",
        "inspect",
        "In",
        "Out",
    }
)


_BINDING_ANYTHING = frozenset({"exec", "eval", "globals", "locals", "vars", "get_ipython", "__builtins__"})


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a cell before it runs.

    Parameters
    ----------
    sees : frozenset of str or None
        The names whose objects it may see, directly or by way of other names; None for all.
    changes : frozenset of str or None
        The names whose objects it may change, where it can do nothing else; None where it may do anything.
    """

    sees: frozenset[str] | None
    changes: frozenset[str] | None


UNKNOWN = Trace(None, None)


class Tracer:
    """Reads an instructor's cells in order, and knows which names may share objects."""

    def __init__(self) -> None:
        self._groups: dict[str, set[str]] = {}
        self._modules: dict[str, str] = {}  # names of modules, and of what was imported from them: which one
        self._own: set[str] = set()  # names that the instructor's cells bind otherwise
        self._lost = False  # some cell may have bound any name to anything

    def read(self, source: str, students: frozenset[str]) -> Trace:
        """Take in one cell that runs in the examiner's room.

        Parameters
        ----------
        source : str
        students : frozenset of str
            Names that come from the student's room.
        """
        plain, magics = _IDLE_MAGIC.subn("", source)
        try:
            tree = ast.parse(plain)
        except (SyntaxError, ValueError):  # other magics, say
            self._lost = True
            return UNKNOWN
        self._learn_names(tree)
        names = _names(tree)
        if any(name in _BINDING_ANYTHING for name in names):
            self._lost = True
        for statement in tree.body:
            self._join(self._data(_names(statement), students) | set(_find_bound(statement)))
        if self._lost or any(name in _ALL_SEEING or set(name) <= set("_0123456789") for name in names):
            return UNKNOWN
        sees = frozenset[str]().union(*({name} | self._groups.get(name, set()) for name in names - students))
        return Trace(sees, None if magics else self._find_changes(tree, students))

    def _learn_names(self, tree: ast.Module) -> None:
        imported: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    imported[alias.asname or top] = top
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    imported[alias.asname or alias.name] = (node.module or "").partition(".")[0]
        stored = {name for statement in tree.body for name in _find_bound(statement)}
        self._lost = self._lost or "*" in imported
        self._modules |= imported
        self._own = (self._own - imported.keys()) | stored
        for name in stored:
            self._modules.pop(name, None)

    def _data(self, names: set[str], students: frozenset[str]) -> set[str]:
        """Return those of the names that may stand for an object that can change."""
        return {
            name
            for name in names - students
            if self._modules.get(name) not in _PURE and (name in self._own or not hasattr(builtins, name))
        }

    def _join(self, names: set[str]) -> None:
        """Note that these names may share objects from now on."""
        if len(names) > 1:
            joined = names.union(*(self._groups.get(name, set()) for name in names))
            for name in joined:
                self._groups[name] = joined

    def _find_changes(self, tree: ast.Module, students: frozenset[str]) -> frozenset[str] | None:
        """Return what a cell of expressions alone may change; None for every other cell."""
        for node in ast.walk(tree):
            if isinstance(node, _BINDING) or (isinstance(node, ast.stmt) and not isinstance(node, ast.Expr)):
                return None
            if isinstance(node, ast.Attribute | ast.Name) and _last(node) in _KEEPING:
                return None
            if isinstance(node, ast.Call) and not self._may_be_called(node.func, students):
                return None
        return frozenset(self._data(_names(tree), students))

    def _may_be_called(self, function: ast.expr, students: frozenset[str]) -> bool:
        """Tell whether a call can change nothing but what is named in it."""
        root: ast.AST = function
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in self._modules:
            return self._modules[root.id] in (_PURE | _SHOWING)
        if isinstance(function, ast.Name):
            name = function.id
            return name in students or (name in _HARMLESS and name not in self._own)
        return isinstance(function, ast.Attribute)  # a method of something that is named in the cell


_BINDING = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


def _last(node: ast.Attribute | ast.Name) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id


def _names(tree: ast.AST) -> set[str]:
    """Return all names that code mentions, at whatever depth; also those that are local to a function."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _find_bound(statement: ast.stmt) -> Iterator[str]:
    """Yield all names that a statement binds, at whatever depth, but for those that it imports."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
