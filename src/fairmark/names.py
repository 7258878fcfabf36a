"""Which names the code of a cell binds, and what it imports."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator


class Names:
    """Follows whose each name is while the instructor's cells are read in order.

    Attributes
    ----------
    of_student : set of str
        Names that the reference solutions bind and that no later cell of the instructor's binds again.
    of_instructor : set of str
        Names that the instructor's other cells bind, tests included.
    imports : dict of str to str
        Names that the reference solutions import, each with the statement that does it.
    """

    def __init__(self) -> None:
        self.of_student: set[str] = set()
        self.of_instructor: set[str] = set()
        self.imports: dict[str, str] = {}

    def read(self, source: str, writer: Literal["student", "instructor", "test"]) -> None:
        """Take in one code cell.

        A test that binds a name of the student's changes it in the student's room: it stays the student's.
        """
        bound = _find_bound(source)
        names = bound.names | bound.imports.keys()
        if writer == "student":
            self.of_student |= bound.names
            self.of_instructor -= bound.names
            self.imports |= bound.imports
        elif writer == "instructor":
            self.of_student -= names
            self.of_instructor |= names
        else:
            self.of_instructor |= names - self.of_student


@lru_cache(maxsize=1024)
def _find_bound(source: str) -> _Bound:
    """Read a cell of the instructor's once for the whole class; what comes back is not to be changed."""
    bound = _Bound()
    tree = _parse(source)
    if tree is not None:
        bound.visit(tree)
    return bound


def find_imports(source: str) -> Iterator[str]:
    """Yield the import statements at the top level of a cell's code."""
    tree = _parse(source)
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield ast.unparse(node)


def find_modules(source: str) -> frozenset[str]:
    """Return the modules that a cell's code imports, anywhere in it."""
    tree = _parse(source)
    found: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def _parse(source: str) -> ast.Module | None:
    """Return the tree of a cell's Python, with IPython's magics and shell escapes put into Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        pass
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415 - rarely needed, and heavy

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError):
        return None


class _Bound(ast.NodeVisitor):
    """Collects the names that code binds at the level of the module."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.imports: dict[str, str] = {}

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names.add(node.id)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        statement = ast.unparse(node)
        for alias in node.names:
            if alias.name != "*":
                self.imports[alias.asname or alias.name.partition(".")[0]] = statement

    visit_ImportFrom = visit_Import  # noqa: N815 - the name is ast's

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.names.add(node.name)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Global):
                self.names |= set(inner.names)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815
    visit_ClassDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Names that a lambda binds stay inside of it."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        """Only the walrus binds outside of a comprehension."""
        self.names |= {inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)}

    visit_SetComp = visit_ListComp  # noqa: N815
    visit_DictComp = visit_ListComp  # noqa: N815
    visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.names.add(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # noqa: N815

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.names.add(node.rest)
        self.generic_visit(node)
