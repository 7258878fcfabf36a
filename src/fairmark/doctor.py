"""Looks whether this machine can grade: versions, programs, and a sandbox that is tried, not believed."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairmark.errors import FairmarkError
from fairmark.rooms.bubblewrap import find_bubblewrap
from fairmark.rooms.levels import REMEDIES, explain, open_zygote, tell
from fairmark.rooms.policy import LEVELS, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = (
    "nbgrader",
    "nbformat",
    "ipython",
    "numpy",
    "jupyterlab",
    "scikit-image",
    "matplotlib",
    "gitpython",
)
_NEEDED = ("nbgrader", "nbformat", "ipython", "numpy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `remedy` says what to do where it is not `good`; what is not `needed` may be missing.
    """

    what: str
    good: bool
    found: str
    remedy: str = ""
    needed: bool = True


def examine() -> Iterator[Finding]:
    """Look at this machine; yields each finding as soon as it is known."""
    version = platform.python_version()
    yield Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or later.")
    linux = sys.platform == "linux"
    yield Finding(
        "System",
        linux,
        f"{platform.system()} {platform.release()}",
        "Grade on Linux, in a container, or in WSL 2.",
    )
    yield from _examine_packages()
    yield from _examine_programs()
    if linux:
        yield from _examine_sandbox()


def _examine_packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            version, good = importlib.metadata.version(name), True
        except importlib.metadata.PackageNotFoundError:
            version, good = "not installed", False
        yield Finding(name, good, version, f"pip install {name}", needed=name in _NEEDED)


def _examine_programs() -> Iterator[Finding]:
    git = shutil.which("git")
    yield Finding(
        "git", git is not None, git or "not found", "Install your system's package git.", needed=False
    )
    try:
        yield Finding("bubblewrap", good=True, found=find_bubblewrap())
    except FairmarkError as error:
        yield Finding("bubblewrap", good=False, found="not found", remedy=str(error), needed=False)


def _examine_sandbox() -> Iterator[Finding]:
    """Try to break out of each level of the sandbox; the best one that holds is what grading will use."""
    reached, fenced = "", False
    for level in LEVELS:
        started = time.monotonic()
        try:
            with open_zygote(Policy("student"), level) as zygote:
                seconds = time.monotonic() - started
        except (FairmarkError, OSError) as error:
            yield Finding(
                f"level {level}", good=False, found=explain(error), remedy=REMEDIES[level], needed=False
            )
        else:
            if not reached:
                reached, fenced = level, zygote.fenced
            words = f"tried to break out and could not ({seconds:.1f} s)"
            yield Finding(f"level {level}", good=True, found=words)
    found = f"{reached}: {tell(reached)}" if reached else "no level holds"
    remedy = "Do not grade on this machine. Take one of the remedies above, another machine, or a container."
    yield Finding("sandbox", good=bool(reached), found=found, remedy=remedy)
    watcher = "a watcher that adds it up ten times a second"
    found = f"a cgroup for each room, and {watcher}" if fenced else f"{watcher}; no cgroup can be had"
    if reached:
        yield Finding("memory of a room", good=True, found=found)
