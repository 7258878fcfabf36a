"""Shows a whole course at work in a folder of its own: release, hand in, grade, feedback."""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark import publishing, reporting
from fairmark.batch import grade_assignment
from fairmark.course import open_course
from fairmark.errors import UsageError
from fairmark.gradebook.assignments import set_due_date
from fairmark.release import release_assignment
from fairmark.repository.forge import Forge
from fairmark.repository.practice import forge_folder
from fairmark.repository.serving import serving
from fairmark.simulation import hand_in, read_recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairmark.batch import Batch, Tell
    from fairmark.course import Course
    from fairmark.release import Release
    from fairmark.simulation import Recipe
    from fairmark.survey import Survey

_PARTS = ("source", "autograder", "nbgrader_config.py")
_MARK = ".fairmark-demo"
CLASS_FOLDER = Path("tests", "class")


def set_up(course: Path, folder: Path) -> Course:
    """Copy a course's source into a folder of its own, made anew.

    Raises
    ------
    UsageError
        Where `course` is no course, or `folder` holds something that is not an earlier demo.
    """
    if not (course / "source").is_dir():
        raise UsageError(f"{course.resolve()} has no folder 'source': run the demo in a course folder.")
    if folder.exists():
        if not (folder / _MARK).exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} exists and is no earlier demo. Name another folder with --folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
    for part in _PARTS:
        original = course / part
        if original.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(original, folder / part, ignore=ignored)
        elif original.exists():
            shutil.copy(original, folder / part)
    return open_course(folder)


def release_all(course: Course) -> Iterator[Release]:
    """Release and prove each assignment of a course."""
    for assignment in course.assignments():
        yield release_assignment(course, assignment)


@contextlib.contextmanager
def serve_forge(course: Course) -> Iterator[str]:
    """Serve the course's stand-in forge over http on this machine, for work in git; give its address."""
    forge = Forge(forge_folder(course))
    with serving(forge) as url:
        yield url
    forge.close()


def hand_in_class(course: Course, recipes: tuple[Recipe, ...], forge_url: str = "") -> None:
    """Let the simulated class hand in its work, with a date that was due yesterday."""
    due = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0)
    hand_in(course, *recipes, due=due, forge_url=forge_url)
    for assignment in course.assignments():
        set_due_date(course, assignment, due)


def read_class(course: Path) -> tuple[Recipe, ...]:
    """Return the students that a course's tests simulate.

    Raises
    ------
    UsageError
        Where there are none.
    """
    folder = course / CLASS_FOLDER
    recipes = read_recipes(folder) if folder.is_dir() else ()
    if not recipes:
        raise UsageError(f"There are no students in {folder}: the demo needs a class to simulate.")
    return recipes


def grade(course: Course, assignment: str, announce: Callable[[Survey], None], tell: Tell) -> Batch:
    """Grade an assignment as ``fairmark grade`` does."""
    return grade_assignment(course, assignment, announce=announce, tell=tell)


def write_feedback(course: Course, assignment: str) -> int:
    """Write the feedback pages of an assignment; return how many there are."""
    return len(publishing.write_feedback(course, assignment).written)


def write_report(course: Course) -> Path:
    """Write the class report of all assignments; return where it lies."""
    return reporting.write_page(course, reporting.read_report(course))
