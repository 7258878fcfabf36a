"""A frozen index: which releases there were on one day, for which Python, and what they need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from pathlib import Path

ANY = "any"


@dataclass(frozen=True, slots=True)
class Release:
    """One release of a package, as the Python package index describes it.

    Parameters
    ----------
    name : str
        Normalised: lower case, with hyphens.
    version : Version
    requires_python : SpecifierSet
    requires : tuple of Requirement
        Without extras, with markers.
    wheels : tuple of str
        The Python versions (``3.10``) that a wheel for Linux on x86_64 was built for; ``any`` for all.
    yanked : bool
        Taken back: chosen only where exactly this release is asked for.
    """

    name: str
    version: Version
    requires_python: SpecifierSet
    requires: tuple[Requirement, ...] = ()
    wheels: tuple[str, ...] = (ANY,)
    yanked: bool = False

    def has_wheel_for(self, python: Version) -> bool:
        """Tell whether it can be installed without a compiler."""
        return ANY in self.wheels or f"{python.major}.{python.minor}" in self.wheels


@dataclass(frozen=True)
class Index:
    """What one exercise knows of the world.

    Parameters
    ----------
    made : str
        The day it was frozen, ``YYYY-MM-DD``.
    pythons : tuple of Version
        The Python versions of that day, with their last patch, sorted.
    releases : tuple of Release
    channel : Path, optional
        A folder that is laid out as a conda channel (``linux-64/repodata.json``); without it, an
        ``environment.yml`` cannot be judged.
    """

    made: str
    pythons: tuple[Version, ...]
    releases: tuple[Release, ...]
    channel: Path | None = None

    @cached_property
    def by_name(self) -> dict[str, tuple[Release, ...]]:
        """The releases by package, the newest first."""
        found: dict[str, list[Release]] = {}
        for release in sorted(self.releases, key=lambda release: release.version, reverse=True):
            found.setdefault(release.name, []).append(release)
        return {name: tuple(releases) for name, releases in found.items()}


def read_index(path: Path, channel: Path | None = None) -> Index:
    """Read an index that `fairmark.environment.freeze` wrote.

    Parameters
    ----------
    path : Path
        A JSON file.
    channel : Path, optional
        A folder laid out as a conda channel.

    Raises
    ------
    ValueError
        Where the file is no index.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Index(
            made=document["made"],
            pythons=tuple(sorted(map(Version, document["pythons"]))),
            releases=tuple(
                _read_release(name, version, entry)
                for name, versions in document["packages"].items()
                for version, entry in versions.items()
            ),
            channel=channel,
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no index of packages: {error!r}") from error


def _read_release(name: str, version: str, entry: dict[str, Any]) -> Release:
    return Release(
        name=canonicalize_name(name),
        version=Version(version),
        requires_python=SpecifierSet(entry.get("python", "")),
        requires=tuple(map(Requirement, entry.get("requires", ()))),
        wheels=tuple(entry.get("wheels", (ANY,))),
        yanked=entry.get("yanked", False),
    )
