"""What a grade rests on, as digests: the same fingerprint gives the same grade, nothing has to run again."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import site
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fairmark
from fairmark.results import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairmark.course import Course, Parcel, Source

# Settings that say where things lie, how pages look and who may see what: no grade depends on them.
_IDLE_SETTINGS = re.compile(
    r"CourseDirectory|Exchange|NbGrader|Authenticator|Form[gG]rade|GenerateFeedback|HTMLExporter|Export|ServerApp"
)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
SOURCE_CHANGED = "the assignment's source changed"
_WORDS = {
    "source": SOURCE_CHANGED,
    "submission": "what was handed in changed",
    "autograder": "the folder autograder changed",
    "packages": "installed packages, or Python, changed",
    "config": "the course's settings changed",
    "grader": "fairmark changed",
    "seed": "the course's secret changed",
    "evidence": "more was seen of the students' repositories",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What all grades of an assignment rest on, as hexadecimal SHA-256 digests.

    Parameters
    ----------
    source, autograder, packages, config, grader, seed, evidence : str
        As in `Fingerprint`.
    cells : dict of str to str
        Digests of the parts of `source`, by words that name them: a notebook and its cell, or a file.
    """

    source: str
    autograder: str
    packages: str
    config: str
    grader: str
    seed: str
    evidence: str
    cells: dict[str, str]


def take_ground(course: Course, source: Source) -> Ground:
    """Read what all grades of an assignment rest on; neither nbgrader nor anything else heavy is imported."""
    cells = {
        label: digest
        for path in source.notebooks
        for label, digest in _read_cells(path, course.relative(path))
    }
    for path in source.files:
        cells[course.relative(path)] = _digest(path.read_bytes())
    return Ground(
        source=_digest_of(cells),
        autograder=_digest_of(_read_folder(course.root / "autograder")),
        packages=digest_packages(),
        config=_digest_of([_plain(course.config), _read_helpers(course)]),
        grader=_digest_grader(),
        seed=_digest(course.secret()),
        evidence=_digest_of([_digest(path.read_bytes()) for path in course.observed(source.id)]),
        cells=cells,
    )


def digest_packages() -> str:
    """Return a hexadecimal SHA-256 digest of Python's version and of the installed packages with theirs."""
    return _digest_of([platform.python_version(), *_list_packages()])


def digest_source(course: Course, source: Source) -> str:
    """Return a digest of all that an assignment's notebooks are made of, before and after their making."""
    paths = [course.root / "nbgrader_config.py", *source.notebooks, *source.files]
    parts = [
        {course.relative(path): _digest(path.read_bytes()) for path in paths if path.is_file()},
        _plain(course.config),
        _read_helpers(course),
        digest_packages(),
        _digest_grader(),
    ]
    return _digest_of(parts)


def take_fingerprint(ground: Ground, parcel: Parcel) -> Fingerprint:
    """Return what the grade of one submission rests on."""
    submission = parcel.submission
    moment = submission.timestamp.isoformat() if submission.timestamp else ""
    handed = [
        submission.student,
        submission.assignment,
        moment,
        submission.notebooks,
        submission.notes,
        {name: _digest(content) for name, content in parcel.notebooks.items()},
        parcel.refused,
        [[name, _digest(content)] for name, content in parcel.files],
        parcel.notes,
    ]
    parts = {field.name: getattr(ground, field.name) for field in fields(Ground) if field.name != "cells"}
    return Fingerprint(submission=_digest_of(handed), **parts)


def explain(old: Fingerprint, new: Fingerprint) -> tuple[str, ...]:
    """Say in words what changed between two fingerprints; nothing where they are the same."""
    return tuple(words for name, words in _WORDS.items() if getattr(old, name) != getattr(new, name))


def explain_source(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Name the cells and files of an assignment that differ, from two `Ground.cells`."""
    return tuple(name for name in {**old, **new} if old.get(name) != new.get(name))


# ---------------------------------------------------------------------------------------------------------


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(value: Any) -> str:
    return _digest(json.dumps(value, sort_keys=True, ensure_ascii=True).encode())


def _read_cells(path: Path, name: str) -> Iterable[tuple[str, str]]:
    """Yield the cells of an instructor's notebook; what running it left behind does not count."""
    content = path.read_bytes()
    try:
        node = json.loads(content)
        cells = [dict(cell) for cell in node["cells"]]
        yield f"{name}, its metadata", _digest_of(node.get("metadata", {}).get("kernelspec"))
    except (ValueError, LookupError, TypeError, AttributeError):  # reading the assignment tells what is wrong
        yield name, _digest(content)
        return
    order = []
    for number, cell in enumerate(cells, 1):
        metadata = cell.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        nbgrader = metadata.get("nbgrader")
        label = (nbgrader.get("grade_id") if isinstance(nbgrader, dict) else "") or f"cell {number}"
        text = cell.get("source")
        parts = [
            cell.get("id"),
            cell.get("cell_type"),
            "".join(text) if isinstance(text, list) and all(isinstance(part, str) for part in text) else text,
            [metadata.get(key) for key in ("nbgrader", "fairmark", "tags")],
            cell.get("attachments"),
        ]
        order.append(str(label))
        yield f"{name}, {label}", _digest_of(parts)
    yield f"{name}, the order of its cells", _digest_of(order)


def _digest_grader() -> str:
    return _digest_of([fairmark.__version__, _read_folder(Path(fairmark.__file__).parent, "*.py")])


def _read_folder(folder: Path, pattern: str = "*") -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): _digest(path.read_bytes())
        for path in sorted(folder.rglob(pattern))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _list_packages() -> list[str]:
    """Return names and versions of all installed packages, as installers name the folders they leave."""
    return sorted(
        entry.name
        for folder in site.getsitepackages()  # where rooms find packages
        if Path(folder).is_dir()
        for entry in Path(folder).iterdir()
        if entry.name.endswith((".dist-info", ".egg-info"))
    )


def _plain(value: Any) -> Any:
    """Return settings as plain data that is the same in every process; functions and classes by name."""
    if isinstance(value, dict):
        kept = ((key, part) for key, part in sorted(value.items()) if not _IDLE_SETTINGS.match(str(key)))
        # Asking for a section makes an empty one, which says nothing.
        return {str(key): _plain(part) for key, part in kept if part != {}}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"
    return _ADDRESS.sub("", repr(value))


def _read_helpers(course: Course) -> dict[str, str]:
    """Return digests of the files beside the configuration that it may call upon."""
    header = course.config.get("IncludeHeaderFooter", {})
    named = [course.root / str(header[key]) for key in ("header", "footer") if header.get(key)]
    tests = [course.root / "autotests.yml", course.root / "tests.yml"]
    modules = [path for path in course.root.glob("*.py") if path.name != "nbgrader_config.py"]
    return {
        course.relative(path): _digest(path.read_bytes())
        for path in sorted({*named, *tests, *modules})
        if path.is_file()
    }
