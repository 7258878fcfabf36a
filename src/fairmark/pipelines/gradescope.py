"""Gradescope: builds the zip of an autograder, and grades one hand-in inside its container."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
import zipfile
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fairmark
from fairmark.batch import grade_assignment
from fairmark.course import open_course
from fairmark.errors import GraderError
from fairmark.exporters import write_gradescope
from fairmark.standings import read_standings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.course import Course

SCRIPTS = ("setup.sh", "run_autograder")
_SKIPPED = {"__pycache__", ".ipynb_checkpoints", ".git", ".venv"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAX_FILES = 1_000
_MAX_BYTES = 512 * 2**20
_ODD = re.compile(r"[^A-Za-z0-9_.@-]+")


def read_script(name: str) -> str:
    """Return the text of ``setup.sh`` or ``run_autograder``."""
    return (resources.files("fairmark.pipelines") / "templates" / name).read_text("utf-8")


def build_autograder(course: Course, assignment: str, path: Path) -> Path:
    """Write the zip that Gradescope takes: the same course and the same fairmark as here.

    Parameters
    ----------
    course : Course
    assignment : str
    path : Path
        Where the zip is written.

    Raises
    ------
    UsageError
        Where there is no such assignment.
    """
    source = course.find_source(assignment)
    course.secret()
    files: dict[str, bytes] = {name: _script(course, name) for name in SCRIPTS}
    files["assignment.txt"] = f"{assignment}\n".encode()
    files["requirements.txt"] = "".join(f"{each}\n" for each in _requirements()).encode()
    kept = [course.root / "nbgrader_config.py", course.root / ".fairmark" / "secret"]
    kept += [*_files_in(source), *_files_in(course.root / "autograder"), *course.root.glob("*.py")]
    for file in kept:
        if file.is_file():
            files[f"course/{file.relative_to(course.root).as_posix()}"] = file.read_bytes()
    ours = Path(fairmark.__file__).parent
    for file in _files_in(ours):
        files[f"packages/fairmark/{file.relative_to(ours).as_posix()}"] = file.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | (0o755 if name in SCRIPTS else 0o644)) << 16
            archive.writestr(entry, data)
    return path


def _script(course: Course, name: str) -> bytes:
    own = course.root / "autograder" / name
    return own.read_bytes() if own.is_file() else read_script(name).encode()


def _requirements() -> list[str]:
    """Return what pip has to install beside our own code, which the zip holds."""
    needed = [each for each in metadata.requires("fairmark") or () if "extra ==" not in each]
    return [*needed, *(each.partition(";")[0].strip() for each in _of_course())]


def _of_course() -> list[str]:
    # Version by version what the tests of this course were proved with.
    packages = ("numpy", "scipy", "scikit-image", "matplotlib", "pandas")
    found = []
    for name in packages:
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _files_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _SKIPPED & set(path.relative_to(folder).parts) and path.suffix != ".pyc":
            yield path


def run_autograder(root: Path) -> Path:
    """Grade what lies in ``submission/`` and write ``results/results.json``.

    Parameters
    ----------
    root : Path
        Gradescope's ``/autograder``.

    Raises
    ------
    GraderError
        Where our own parts fail: then no results are written, and Gradescope tells the instructor.
    """
    assignment = (root / "source" / "assignment.txt").read_text("utf-8").strip()
    student, handed_in = _read_metadata(root / "submission_metadata.json")
    with tempfile.TemporaryDirectory(prefix="fairmark-") as place:
        home = Path(place) / "course"
        shutil.copytree(root / "source" / "course", home)
        course = open_course(home)
        folder = course.submitted(student, assignment)
        folder.mkdir(parents=True)
        _take_in(root / "submission", folder)
        _put_name_right(course, assignment, folder)
        if handed_in:
            (folder / "timestamp.txt").write_text(handed_in, encoding="utf-8")
        batch = grade_assignment(course, assignment, (student,), workers=1)
        if batch.failures:
            raise GraderError(batch.failures[0].message)
        (standing,) = read_standings(course, assignment, (student,))
        if standing.status == "error":
            broken = "; ".join(item.message for item in standing.items if item.status == "error")
            raise GraderError(f"a test of the course failed by itself: {broken}")
        return _write(root / "results" / "results.json", write_gradescope(standing))


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return path


def _read_metadata(path: Path) -> tuple[str, str]:
    """Return a name for the student that is a folder's name, too, and when the work was handed in."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        document = {}
    users: Any = document.get("users") if isinstance(document, dict) else None
    user = users[0] if isinstance(users, list) and users and isinstance(users[0], dict) else {}
    named = next((str(user[key]) for key in ("email", "sid", "id") if user.get(key)), "student")
    moment = document.get("created_at") if isinstance(document, dict) else ""
    return _ODD.sub("_", named).strip("._") or "student", str(moment or "")


def _take_in(source: Path, target: Path) -> None:
    """Copy the ordinary files of a hand-in: no link is followed, and there is an end to it."""
    left, number = _MAX_BYTES, 0
    for place, folders, names in os.walk(source, followlinks=False):
        folders[:] = [name for name in folders if not (Path(place) / name).is_symlink()]
        for name in sorted(names):
            path = Path(place) / name
            found = path.lstat()
            number += 1
            if not stat.S_ISREG(found.st_mode) or found.st_size > left or number > _MAX_FILES:
                continue
            left -= found.st_size
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy, follow_symlinks=False)


def _put_name_right(course: Course, assignment: str, folder: Path) -> None:
    """Take the only notebook that was handed in for the only one that was asked for, whatever its name."""
    wanted = [path.name for path in course.find_source(assignment).glob("*.ipynb")]
    handed = list(folder.rglob("*.ipynb"))
    if len(wanted) == 1 and len(handed) == 1 and handed[0] != folder / wanted[0]:
        handed[0].rename(folder / wanted[0])
