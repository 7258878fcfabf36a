"""Keeps imports that cost a second and that nobody needs out of fairmark's own processes."""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# nbgrader's server extensions, which its first line imports: for a server's process, not for a grader's.
_OF_SERVERS = ("assignment_list", "course_list", "validate_assignment", "formgrader")
# What nbgrader asks of setuptools, for archives that a person unpacks by a command of its own.
_ARCHIVES = "setuptools.archive_util"
_OF_ARCHIVES = ("unpack_archive", "unpack_tarfile", "unpack_zipfile")


def skip_slow_imports() -> None:
    """Call this before nbgrader, nbconvert or nbformat is imported, in a process that is ours alone.

    jsonschema builds a grammar for internationalised web addresses as soon as it can, which takes over a
    second; no schema of Jupyter's uses that format. A name that stands for None cannot be imported, and
    jsonschema takes it as a part that is not installed.
    """
    gc.set_threshold(50_000)  # thousands of classes and functions come that stay; looking for rubbish is vain
    if "jsonschema" not in sys.modules:
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    if "nbgrader" not in sys.modules:
        for name in _OF_SERVERS:
            module = ModuleType(f"nbgrader.server_extensions.{name}")
            module.load_jupyter_server_extension = None  # type: ignore[attr-defined]
            sys.modules.setdefault(module.__name__, module)
        _import_when_called(_ARCHIVES, _OF_ARCHIVES)


def _import_when_called(name: str, functions: tuple[str, ...]) -> None:
    """Let a module be imported when one of its functions is called: others take them from it by name."""

    def later(function: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if sys.modules.get(name) is module:
                del sys.modules[name]
            return getattr(importlib.import_module(name), function)(*args, **kwargs)

        return call

    module = ModuleType(name)
    vars(module).update((function, later(function)) for function in functions)
    sys.modules.setdefault(name, module)
