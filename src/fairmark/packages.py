"""Where an installed package lies, in every place that a room can read: so that it can be kept out of one."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import site
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


_PARTS = ("site-packages", "dist-packages", "lib-dynload")
_NAME = re.compile(r"\w[\w-]*(\.\w[\w-]*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Package:
    """A package that an assignment does without.

    Parameters
    ----------
    name : str
        As its author wrote it: what is imported (``skimage``, ``scipy.ndimage``), or what is installed
        (``scikit-image``).
    modules : tuple of str
        What is imported.
    paths : tuple of str
        The folders and files that hold it, absolute.
    """

    name: str
    modules: tuple[str, ...]
    paths: tuple[str, ...]


@cache
def find_package(name: str) -> Package | None:
    """Return where a package lies; None where none of that name is installed or can be kept out."""
    if not _NAME.fullmatch(name) or name in sys.builtin_module_names:
        return None
    modules: tuple[str, ...] = (name,)
    paths = set(_paths_of(name))
    if not paths:
        modules = tuple(sorted(top for top, names in _distributions().items() if _plain(name) in names))
        paths = {path for module in modules for path in _paths_of(module)}
    paths |= {path for module in modules for path in _records_of(module)}
    return Package(name, modules, tuple(sorted(paths))) if paths else None


def suggest(name: str) -> str:
    """Return words about what the author may have meant, or an empty text."""
    if name.partition(".")[0] in sys.builtin_module_names:
        return " It is built into Python itself and cannot be kept out."
    known = {*_distributions(), *chain.from_iterable(_distributions().values()), *sys.stdlib_module_names}
    near = get_close_matches(name, known, 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()


@cache
def _distributions() -> dict[str, tuple[str, ...]]:
    """Return which installed distributions bring which top-level module."""
    found = importlib.metadata.packages_distributions()
    return {top: tuple(_plain(name) for name in names) for top, names in found.items()}


def _folders() -> Iterator[Path]:
    """Yield every folder that holds packages and lies where a room can read: of other Pythons, too."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, "/usr", "/usr/local"}
    prefixes.add(str(Path(sys.executable).resolve().parent.parent))
    for prefix in map(Path, prefixes):
        for pattern in ("lib*/python3*", "pkgs/*/lib/python3*", "envs/*/lib/python3*"):
            for folder in prefix.glob(pattern):
                yield from (folder, *(folder / part for part in _PARTS))
    yield from map(Path, (*site.getsitepackages(), *(entry for entry in sys.path if entry)))


def _paths_of(module: str) -> Iterator[str]:
    """Yield the folders and files of a module."""
    *above, last = module.split(".")
    for folder in {folder.resolve() for folder in (*_folders(), *_parents_of(module))}:
        place = folder.joinpath(*above)
        if (place / last).is_dir():
            yield str(place / last)
        for pattern in (f"{last}.py", f"{last}.pyc", f"{last}.*.so", f"{last}.so", f"{last}.libs"):
            yield from map(str, place.glob(pattern))
        yield from map(str, place.glob(f"__pycache__/{last}.*.pyc"))


def _parents_of(module: str) -> Iterator[Path]:
    """Yield the folder that the top of `module` lies in, where Python itself finds it elsewhere."""
    top = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top) if top not in sys.builtin_module_names else None
    except (ImportError, ValueError):
        spec = None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place).parent


def _records_of(module: str) -> Iterator[str]:
    """Yield the folders that tell of distributions which bring `module` and nothing else."""
    distributions = _distributions()
    for name in distributions.get(module, ()):
        tops = {top for top, names in distributions.items() if name in names and not top.startswith("_")}
        if tops != {module}:
            continue
        for file in importlib.metadata.files(name) or ():
            if len(file.parts) > 1 and file.parts[0].endswith((".dist-info", ".egg-info", ".libs")):
                yield str(Path(str(file.locate())).parents[len(file.parts) - 2])
