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
    from collections.abc import Iterable, Iterator

# Modules whose functions change nothing but what they are given, and modules that keep figures and the like,
# which nobody sees without naming them.
_PURE = frozenset({"numpy", "scipy", "skimage", "math", "statistics", "pandas"})
_SHOWING = frozenset({"matplotlib", "seaborn", "IPython"})
# Parts of the former that do keep something: generators of random numbers, options, files.
_KEEPING = re.compile(
    r"random|seed|rvs|sample|shuffle|permutation|options|option_context|use_plugin|memmap|open_memmap"
    r"|(set|reset|save|write|dump|to_|im(save|write)|open).*"
)
# Methods that change nothing, whatever they are called on: others may do anything.
_LOOKING = frozenset(
    {
        "all",
        "any",
        "argmax",
        "argmin",
        "argsort",
        "astype",
        "clip",
        "conj",
        "copy",
        "cumsum",
        "diagonal",
        "dot",
        "flatten",
        "item",
        "max",
        "mean",
        "min",
        "nonzero",
        "prod",
        "ptp",
        "ravel",
        "repeat",
        "reshape",
        "round",
        "squeeze",
        "std",
        "sum",
        "tolist",
        "trace",
        "transpose",
        "var",
        "describe",
        "head",
        "median",
        "tail",
        "unique",
        "value_counts",
        "capitalize",
        "count",
        "endswith",
        "find",
        "format",
        "index",
        "join",
        "lower",
        "lstrip",
        "replace",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "title",
        "upper",
        "get",
        "items",
        "keys",
        "values",
        "difference",
        "intersection",
        "union",
        "as_integer_ratio",
    }
)
# Stand in groups of names for what has no name: files, options, generators of random numbers, any module that
# is not known here; and what all modules that show something draw on.
_WORLD, _SCREEN = "<world>", "<screen>"
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
        "doctest",
        "unittest",
        "importlib",
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
            world = {_WORLD} if self._reaches_out(statement, students) else set[str]()
            self._join(self._data(_names(statement), students) | set(_find_bound(statement)) | world)
        if self._lost or any(word in _ALL_SEEING or set(word) <= set("_0123456789") for word in _words(tree)):
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
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    path = f"{getattr(node, 'module', '')}.{alias.name}"
                    if _keeps(path.split(".")):  # under another name it would not be known
                        imported[alias.asname or alias.name] = ""
        stored = {name for statement in tree.body for name in _find_bound(statement)}
        self._lost = self._lost or "*" in imported
        self._modules |= imported
        self._join({_SCREEN, *(name for name, module in imported.items() if module in _SHOWING)})
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

    def _reaches_out(self, statement: ast.stmt, students: frozenset[str]) -> bool:
        """Tell whether what a statement makes may, when it is called, change more than has a name."""
        names = _names(statement)
        if any(self._modules.get(name, "numpy") not in (_PURE | _SHOWING) for name in names - students):
            return True
        if any(hasattr(builtins, name) and name in _REACHING for name in names):
            return True
        makes = any(isinstance(node, _FUNCTIONS) for node in ast.walk(statement))
        return makes and _keeps(_words(statement))

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
            if isinstance(node, ast.Call) and not self._may_be_called(node.func, students):
                return None
            if isinstance(node, ast.keyword) and node.arg == "file":
                return None
        changes = self._data(_names(tree), students)
        if _keeps(_words(tree)) or any(_WORLD in self._groups.get(name, ()) for name in changes):
            return None
        return frozenset(changes)

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
        return isinstance(function, ast.Attribute) and function.attr in _LOOKING


_BINDING = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_REACHING = frozenset({"open", "input", "setattr", "delattr", "breakpoint"})


def _words(tree: ast.AST) -> set[str]:
    """Return the names and attributes that code mentions."""
    return _names(tree) | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _keeps(words: Iterable[str]) -> bool:
    """Tell whether parts of modules that keep something are among these."""
    return any(_KEEPING.fullmatch(word) for word in words)


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
