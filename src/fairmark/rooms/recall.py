"""Keeps what the calls of an instructor's cell gave, for the same cell's run in the examiner's room.

Such a cell runs in both rooms, one after the other, but is one cell: a student's function that it calls is
called once, as it would be in a notebook, and the examiner's room gets what came of that call. This runs in
the student's room. A call with other arguments than in the first run is made anew.
"""

from __future__ import annotations

import ast
from collections import defaultdict, deque
from typing import Any

import numpy as np

from fairmark.rooms.wire import WireError, pack_frame

WAY = "__call_and_keep__"  # the global name by way of which the functions are called meanwhile
_MOST_CALLS = 100  # of one cell: functions that are called more often are quick
_MOST_BYTES = 2**24  # of one call's arrays

_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp)

Key = tuple[int, bytes]


class Redirection(ast.NodeTransformer):
    """Lets calls of some names go by way of `WAY`: those that are made while the cell itself runs.

    Parameters
    ----------
    names : frozenset of str
    """

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def visit(self, node: ast.AST) -> Any:
        """Redirect calls in a part of the cell, but for what may run when the cell has ended."""
        return node if isinstance(node, _LATER) else super().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Redirect a call, and those among its arguments."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self.names:
            node.args.insert(0, node.func)
            node.func = ast.copy_location(ast.Name(WAY, ast.Load()), node.func)
        return node


class Recall:
    """The answers of one cell's calls, each given once and in their order."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._answers: defaultdict[Key, deque[bytes]] = defaultdict(deque)
        self._functions: list[Any] = []  # which have to live as long as their numbers are used

    @property
    def full(self) -> bool:
        """Whether no more answers are kept."""
        return len(self._functions) >= _MOST_CALLS

    def name_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Key | None:
        """Return what tells a call from others; None for one that is not kept."""
        arrays = (part for part in (*args, *kwargs.values()) if isinstance(part, np.ndarray))
        if isinstance(function, type) or sum(part.nbytes for part in arrays) > _MOST_BYTES:
            return None
        try:
            return id(function), pack_frame([], (args, kwargs))
        except WireError:
            return None

    def keep(self, key: Key, function: Any, answer: bytes) -> None:
        """Keep an answer."""
        if len(answer) <= 2 * _MOST_BYTES:
            self._functions.append(function)
            self._answers[key].append(answer)

    def take(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes | None:
        """Return the next answer to this call, if one was kept."""
        key = self.name_call(function, args, kwargs) if self._answers else None
        answers = self._answers.get(key) if key is not None else None
        return answers.popleft() if answers else None
