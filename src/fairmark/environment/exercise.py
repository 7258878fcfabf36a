"""An exercise whose answer is an environment file: what it asks for, solved and judged step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fairmark.checks import Report
from fairmark.environment.files import (
    MAX_BYTES,
    PYTHON_FILES,
    READERS,
    EnvironmentFile,
    FileError,
    read_requirements,
)
from fairmark.environment.solving import NoSolution, Solution, solve
from fairmark.results import CheckResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairmark.environment.index import Index

# What each step is worth, unless the author says otherwise.
POINTS = {"readable": 1.0, "solvable": 1.0, "version": 2.0, "python": 1.0, "imports": 3.0, "open": 1.0}
_WAITS = "Not looked at, because of what stands above."


@dataclass(frozen=True, slots=True)
class Clash:
    """Two packages that their metadata let meet, and that do not work together.

    Parameters
    ----------
    one, other : str
        Requirements, such as ``scikit-image<0.23`` and ``numpy>=2``.
    raises : str
        What Python then says when the first is imported.
    hint : str
        What to write, for the student.
    """

    one: str
    other: str
    raises: str
    hint: str = ""

    def happens(self, chosen: Solution) -> str:
        """Return which versions clash, or nothing."""
        pair = [Requirement(text) for text in (self.one, self.other)]
        versions = [chosen.chosen.get(canonicalize_name(each.name)) for each in pair]
        if any(
            version is None or version not in each.specifier
            for version, each in zip(versions, pair, strict=True)
        ):
            return ""
        return " and ".join(f"{each.name} {version}" for version, each in zip(versions, pair, strict=True))


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise that an environment file solves: a notebook is to run again, with its code left as it is.

    Parameters
    ----------
    title : str
        What the student reads above the checks.
    index : Index
        Every release that there is, frozen.
    needs : mapping of str to str
        What the code imports, by the name of the package, with the versions that it works with (a specifier
        such as ``<0.20``; empty for any).
    otherwise : str
        What Python says where the version does not fit, for the student.
    clashes : sequence of Clash
        Versions that fit and do not work all the same.
    points : mapping of str to float
        Where they are other than `POINTS`; the steps are ``readable``, ``solvable``, ``version``, ``python``,
        ``imports`` and ``open``.

    Examples
    --------
    In ``autograder/`` of a course, beside an index that was frozen by
    ``python -m fairmark.environment.freeze pandas.json "pandas>=1" "numpy>=1.17"``::

        append = Exercise(
            "An environment in which DataFrame.append still exists",
            index=read_index(Path(__file__).parent / "pandas.json"),
            needs={"pandas": "<2"},
            otherwise="AttributeError: 'DataFrame' object has no attribute 'append'",
            clashes=[Clash("pandas<2.2.2", "numpy>=2", "ValueError: numpy.dtype size changed")],
        )

    and in the test cell ``append.grade()``.
    """

    title: str
    index: Index
    needs: Mapping[str, str]
    otherwise: str = ""
    clashes: Sequence[Clash] = ()
    points: Mapping[str, float] = field(default_factory=lambda: POINTS)

    def grade(self, folder: Path | str = ".") -> Report:
        """Judge the environment file that lies in a folder: the better one, where there are several.

        Parameters
        ----------
        folder : Path or str
            By default where the notebook works: what was handed in beside it, and what its cells wrote.
        """
        reports = [self.judge(name, _read_files(Path(folder))) for name in _names(Path(folder))]
        if not reports:
            return _Judge(self, "").fail("readable", *_no_file(Path(folder))).report()
        best = max(reports, key=lambda report: report.score)
        if len(reports) == 1:
            return best
        return Report(f"{best.title} (the best of {len(reports)})", best.checks, best.kind)

    def judge(self, name: str, files: Mapping[str, bytes]) -> Report:
        """Judge one file of `files`.

        Parameters
        ----------
        name : str
            Which kind of file it is: one of `READERS`.
        files : mapping of str to bytes
            What lies beside it: a ``requirements.txt`` says in another file which Python it wants.
        """
        judge = _Judge(self, name)
        try:
            file = _read_file(name, files)
        except FileError as error:
            return judge.fail("readable", str(error)).report()
        missing = self._missing(file)
        if missing:
            return judge.fail("readable", *missing).report()
        judge.passes("readable")
        try:
            solution = solve(file, self.index)
        except NoSolution as error:
            return judge.fail("solvable", str(error), _advice_on_bounds(file)).report()
        judge.passes("solvable", _tell(solution))
        self._judge_solution(judge, file, solution)
        return judge.report()

    def _missing(self, file: EnvironmentFile) -> tuple[str, str] | None:
        """Say which package the code needs and the file does not name, with the likely slip."""
        named = [canonicalize_name(requirement.name) for requirement in file.pip]
        named += [canonicalize_name(_name_of(spec)) for spec in file.conda]
        for name in map(canonicalize_name, self.needs):
            if self.needs[name] and name not in named:
                near = get_close_matches(name, named, 1)
                hint = f"You have written {near[0]!r}; is this the package?" if near else ""
                return f"{file.name} does not name {name}, which the notebook cannot do without.", hint
        return None

    def _judge_solution(self, judge: _Judge, file: EnvironmentFile, solution: Solution) -> None:
        for name, bounds in self.needs.items():
            version = solution.chosen.get(canonicalize_name(name))
            if version is not None and version not in Requirement(f"{name}{bounds}").specifier:
                words = f"{name} {version} would be installed. With it the notebook stops: {self.otherwise}"
                judge.fail(
                    "version", words, f"Which releases of {name} still worked with this notebook? Bound it."
                )
                return
        judge.passes("version")
        if solution.unbuilt:
            python = f"{solution.python.major}.{solution.python.minor}"
            words = (
                f"There is no wheel of {', '.join(solution.unbuilt)} for Python {python}: pip would have to "
                "compile it, which fails on most computers."
            )
            judge.fail("python", words, _advice_on_python(file))
        else:
            judge.passes("python")
        for clash in self.clashes:
            both = clash.happens(solution)
            if both:
                words = f"{both} would be installed, and the import stops: {clash.raises}"
                judge.fail("imports", words, clash.hint)
                return
        if solution.unbuilt:
            judge.fail("imports", "What cannot be installed cannot be imported.")
            return
        judge.passes("imports")
        judge.judge_open(file)


class _Judge:
    """Collects the checks of one file, in the order of the steps."""

    TITLES = (
        ("readable", "The file can be read and names what the notebook needs."),
        ("solvable", "There are versions that fit together."),
        ("version", "The versions are ones that the notebook's code works with."),
        ("python", "All of it is there, ready to install, for the chosen Python."),
        ("imports", "What is installed can be imported."),
        ("open", "Nothing is tied down that need not be."),
    )

    def __init__(self, exercise: Exercise, name: str) -> None:
        self.exercise = exercise
        self.name = name
        self.found: dict[str, tuple[Literal["passed", "failed", "skipped"], str, str]] = {}

    def passes(self, step: str, message: str = "") -> None:
        """Note that a step is done."""
        self.found[step] = "passed", message, ""

    def fail(self, step: str, message: str, hint: str = "") -> _Judge:
        """Note that a step has failed."""
        self.found[step] = "failed", message, hint
        return self

    def judge_open(self, file: EnvironmentFile) -> None:
        """Judge whether a file that works ties down more than it has to."""
        needed = {canonicalize_name(name) for name in (*self.exercise.needs, "python")}
        tied = [name for name in file.exact if canonicalize_name(name) not in needed]
        if file.builds:
            words = f"The builds of {_list(file.builds)} exist for one operating system alone."
            self.fail(
                "open",
                words,
                "Leave out what stands behind the version: numpy=1.26, not numpy=1.26.4=py310h….",
            )
        elif tied:
            words = f"{_list(tied)}: not imported by the notebook, yet tied to one version."
            self.fail("open", words, "Bound only what has to be bounded, and by < rather than ==.")
        else:
            self.passes("open")

    def report(self) -> Report:
        """Return the report; what was not reached gives no points."""
        points = {**POINTS, **self.exercise.points}
        checks = []
        for step, title in self.TITLES:
            status, message, hint = self.found.get(step, ("skipped", _WAITS, ""))
            score = points[step] if status == "passed" else 0.0
            checks.append(CheckResult(title, status, score, points[step], _limit(message), _limit(hint)))
        title = f"{self.exercise.title}: {self.name}" if self.name else self.exercise.title
        return Report(title, tuple(checks), kind="environment")


def _limit(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:399]}…"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")


def _name_of(spec: str) -> str:
    return re.split(r"[=<>!~ ]", spec, maxsplit=1)[0]


def _tell(solution: Solution) -> str:
    """Say what would be installed."""
    python = f"Python {solution.python.major}.{solution.python.minor}"
    found = ", ".join(f"{name} {version}" for name, version in sorted(solution.chosen.items()))
    aside = f" Not looked at: {_list(solution.set_aside)}." if solution.set_aside else ""
    return f"Installed would be {python}, {found}.{aside}"


def _advice_on_bounds(file: EnvironmentFile) -> str:
    if file.style == "conda":
        return "Loosen a bound, or ask for another Python: which one did the old release know?"
    return "Loosen a bound; or choose a Python that the old release knew."


def _advice_on_python(file: EnvironmentFile) -> str:
    """Say where this kind of file says which Python it wants."""
    if file.name == "pyproject.toml":
        return (
            'Bound requires-python above as well, such as ">=3.8,<3.13": the newest that it admits is taken.'
        )
    if file.style == "conda":
        return "What pip installs has wheels for certain Pythons only: ask for an older one, with python=3.x."
    if file.python is None:
        return (
            "A requirements.txt cannot say which Python it wants, so the newest was taken. Say it in a file "
            "beside it: runtime.txt with a line such as python-3.12, or .python-version with 3.12."
        )
    return "Choose an older Python in the file beside it."


def _no_file(folder: Path) -> tuple[str, str]:
    """Say that there is no file, and which one may be meant for one."""
    names = [name for name in READERS if name != "environment.yaml"]
    there = {path.name.casefold(): path.name for path in folder.iterdir() if path.is_file()}
    near = [there[found] for name in names for found in get_close_matches(name, there, 1, 0.8)]
    hint = f"There is {near[0]!r}: is this the file? Then its name is not quite right." if near else ""
    return f"There is no environment file. Write one of {', '.join(names)}.", hint


def _names(folder: Path) -> list[str]:
    return [name for name in READERS if (folder / name).is_file()]


def _read_files(folder: Path) -> dict[str, bytes]:
    """Read what may belong to an environment file; one byte too many tells that it is too large."""
    files = {}
    for name in (*READERS, *PYTHON_FILES):
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                files[name] = file.read(MAX_BYTES + 1)
    return files


def _read_file(name: str, files: Mapping[str, bytes]) -> EnvironmentFile:
    if name != "requirements.txt":
        return READERS[name](name, files[name])
    python = next(((beside, files[beside]) for beside in PYTHON_FILES if beside in files), None)
    return read_requirements(name, files[name], python)
