"""Finds the versions that pip or conda would install from an environment file, offline, by their own methods.

pip's side uses resolvelib, the resolver inside of pip: newest release first, whether there is a wheel of it
or not. conda's side uses py-rattler, the solver of pixi and rattler-build, on a channel in a local folder.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, Resolver
from resolvelib.resolvers import ResolutionTooDeep

from fairmark.environment.index import Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairmark.environment.files import EnvironmentFile
    from fairmark.environment.index import Index

_ROUNDS = 300
_SECONDS = 5
_SUBDIR = "linux-64"
_MESSAGE = 350
_NOISE = ("packages are incompatible", "conflicts with the versions reported above.")


class NoSolution(Exception):  # noqa: N818 - it is what was found out
    """No versions go together; the message is for the student."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What would be installed.

    Parameters
    ----------
    python : Version
    chosen : mapping of str to Version
        By package, as far as the index knows them.
    unbuilt : tuple of str
        Packages with their version that have no wheel for this Python: pip would have to compile them.
    set_aside : tuple of str
        Packages of the file that the index does not know.
    """

    python: Version
    chosen: Mapping[str, Version]
    unbuilt: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()


def solve(file: EnvironmentFile, index: Index) -> Solution:
    """Return what would be installed from a file.

    Parameters
    ----------
    file : EnvironmentFile
    index : Index

    Raises
    ------
    NoSolution
        Where nothing goes together, in words for the student.
    """
    if file.style == "pip":
        return _solve_pip(file, index, _choose_python(file, index), {})
    python, installed, unknown = _solve_conda(file, index)
    found = _solve_pip(file, index, python, installed)
    return Solution(python, {**installed, **found.chosen}, found.unbuilt, (*unknown, *found.set_aside))


# ---------------------------------------------------------------------------------------------------------
# pip


def _choose_python(file: EnvironmentFile, index: Index) -> Version:
    """Return the newest Python that the file admits, as somebody who installs today would have it."""
    if file.python is None:
        return index.pythons[-1]
    exact = [
        Version(bound.version) for bound in file.python if bound.operator == "==" and bound.version[-1] != "*"
    ]
    candidates = sorted({*index.pythons, *(version for version in exact if len(version.release) == 3)})
    admitted = [version for version in candidates if version in file.python]
    if not admitted:
        known = ", ".join(f"{version.major}.{version.minor}" for version in index.pythons)
        raise NoSolution(f"No Python fits {file.python}. There are {known}.")
    return admitted[-1]


class _Provider(AbstractProvider[Requirement, Release, str]):
    """What resolvelib asks: which releases there are, and what they need."""

    def __init__(self, index: Index, python: Version, installed: Mapping[str, Version]) -> None:
        self.index = index
        self.python = python
        self.installed = installed
        self.environment = _marker_environment(python)

    def identify(self, requirement_or_candidate: Requirement | Release) -> str:
        return canonicalize_name(requirement_or_candidate.name)

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Release],  # noqa: ARG002
        candidates: Mapping[str, Iterator[Release]],  # noqa: ARG002
        information: Mapping[str, Iterator[Any]],
        backtrack_causes: Sequence[Any],
    ) -> Any:
        """Begin with what has caused conflicts, then with what was asked for; by name, to be reproducible."""
        causes = {self.identify(cause.requirement) for cause in backtrack_causes}
        asked = any(one.parent is None for one in information[identifier])
        return identifier not in causes, not asked, identifier

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Requirement]],
        incompatibilities: Mapping[str, Iterator[Release]],
    ) -> list[Release]:
        """Return the releases that fit, the preferred one first: what is installed, then the newest."""
        bounds = SpecifierSet()
        for requirement in requirements[identifier]:
            bounds &= requirement.specifier
        bad = {release.version for release in incompatibilities[identifier]}
        found = [
            release
            for release in self.releases(identifier)
            if release.version not in bad
            and release.version in bounds
            and (not release.yanked or any(bound.operator == "==" for bound in bounds))
            and self.python in release.requires_python
        ]
        kept = self.installed.get(identifier)
        return sorted(found, key=lambda release: release.version != kept)

    def releases(self, name: str) -> Sequence[Release]:
        """Return all releases of a package, the newest first; conda may have one that pip does not know."""
        known = self.index.by_name.get(name, ())
        installed = self.installed.get(name)
        if installed is None or any(release.version == installed for release in known):
            return known
        return (Release(name, installed, SpecifierSet()), *known)

    def is_satisfied_by(self, requirement: Requirement, candidate: Release) -> bool:
        return requirement.specifier.contains(candidate.version, prereleases=True)

    def get_dependencies(self, candidate: Release) -> Iterable[Requirement]:
        return [
            requirement
            for requirement in candidate.requires
            if canonicalize_name(requirement.name) in self.index.by_name and self.applies(requirement)
        ]

    def applies(self, requirement: Requirement) -> bool:
        """Tell whether a requirement's marker holds here."""
        return requirement.marker is None or requirement.marker.evaluate(self.environment)


def _marker_environment(python: Version) -> dict[str, str]:
    """Return what markers ask for: this Python on Linux."""
    return {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": f"{python.major}.{python.minor}",
        "python_full_version": str(python),
        "implementation_name": "cpython",
        "implementation_version": str(python),
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }


def _solve_pip(
    file: EnvironmentFile, index: Index, python: Version, installed: Mapping[str, Version]
) -> Solution:
    provider = _Provider(index, python, installed)
    asked = [requirement for requirement in file.pip if provider.applies(requirement)]
    known = [one for one in asked if canonicalize_name(one.name) in index.by_name]
    unknown = tuple(one.name for one in asked if canonicalize_name(one.name) not in index.by_name)
    resolver: Resolver[Requirement, Release, str] = Resolver(provider, BaseReporter())
    try:
        found = resolver.resolve(known, max_rounds=_ROUNDS).mapping
    except ResolutionImpossible as error:
        raise NoSolution(_describe_conflict(error.causes, provider)) from error
    except ResolutionTooDeep as error:
        raise NoSolution("The search for versions takes too long; write fewer, clearer bounds.") from error
    unbuilt = [
        f"{release.name} {release.version}"
        for name, release in found.items()
        if installed.get(name) != release.version and not release.has_wheel_for(python)
    ]
    return Solution(
        python, {name: release.version for name, release in found.items()}, tuple(unbuilt), unknown
    )


def _describe_conflict(causes: Iterable[Any], provider: _Provider) -> str:
    """Say which wishes do not go together."""
    python = f"{provider.python.major}.{provider.python.minor}"
    told = []
    for cause in causes:
        name = provider.identify(cause.requirement)
        who = "your file" if cause.parent is None else f"{cause.parent.name} {cause.parent.version}"
        told.append(f"{who} asks for {name}{cause.requirement.specifier}")
        fitting = [one for one in provider.releases(name) if one.version in cause.requirement.specifier]
        if not fitting:
            return f"{told[-1]}, and there is no such release (known on {provider.index.made})."
        if not any(provider.python in release.requires_python for release in fitting):
            needs = fitting[0].requires_python
            return f"{told[-1]}, which needs Python {needs}; with your file, Python {python} is used."
    return f"These contradict each other with Python {python}: {'; '.join(dict.fromkeys(told))}."


# ---------------------------------------------------------------------------------------------------------
# conda


def _solve_conda(file: EnvironmentFile, index: Index) -> tuple[Version, dict[str, Version], tuple[str, ...]]:
    """Return the Python, the other packages with their versions, and the packages that the channel lacks."""
    # 80 MB that only those need who judge a conda file
    from rattler import Channel, MatchSpec, SparseRepoData, solve_with_sparse_repodata  # noqa: PLC0415
    from rattler.exceptions import InvalidMatchSpecError, SolverError  # noqa: PLC0415

    if index.channel is None:
        raise NoSolution(f"{file.name} cannot be judged in this exercise; hand in a requirements.txt.")
    data = SparseRepoData(
        Channel(f"file://{index.channel}"), _SUBDIR, index.channel / _SUBDIR / "repodata.json"
    )
    there = set(data.package_names())
    specs, unknown = [MatchSpec("python")], []
    for text in file.conda:
        try:
            spec = MatchSpec(text)
        except InvalidMatchSpecError as error:
            raise NoSolution(f"conda does not understand {text!r}: {error}"[:_MESSAGE]) from error
        name = spec.name.normalized if spec.name is not None else ""
        if name in there:
            specs.append(spec)
        else:
            unknown.append(name)

    async def search() -> list[Any]:
        return list(await solve_with_sparse_repodata(specs, [data], timeout=timedelta(seconds=_SECONDS)))

    try:
        # A notebook's kernel has an event loop of its own: this one runs in a thread beside it.
        with ThreadPoolExecutor(1) as thread:
            records = thread.submit(lambda: asyncio.run(search())).result()
    except SolverError as error:
        raise NoSolution(_shorten(str(error))) from error
    versions = {record.name.normalized: Version(str(record.version)) for record in records}
    return versions.pop("python"), versions, tuple(unknown)


def _shorten(words: str) -> str:
    """Return the solver's explanation as one line: the wishes that cannot be met first, then why."""
    words = words.replace(" because there are no viable options", "")
    lines = words.removeprefix("Cannot solve the request because of: ").splitlines()
    lines.sort(key=lambda line: line[:1] not in ("├", "└"))  # the wishes stand at the left
    told = [line.strip("│├└─ .:;") for line in lines if not line.endswith(_NOISE)]
    text = "; ".join(dict.fromkeys(line for line in told if line)) + "."
    return text if len(text) <= _MESSAGE else f"{text[: _MESSAGE - 1]}…"
