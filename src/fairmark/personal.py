"""Makes each student's own copy of a release: variants drawn, options shuffled, the same in every run."""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark import quiz
from fairmark.assembly import read_questions
from fairmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairmark.course import Assignment, Course

FOLDER = "release_per_student"
_NAME = re.compile(r"[\w@-][\w.@ -]{0,99}(?<! )")


def read_roster(path: Path) -> tuple[str, ...]:
    """Read the students' ids from a CSV file with a column ``id``, as ``nbgrader db student import`` does.

    Raises
    ------
    UsageError
        Where the file cannot be read, has no such column, or holds an id twice, or one that cannot be the
        name of a folder; all lines are told at once.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"The roster {path} cannot be read: {error}") from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if "id" not in header:
        raise UsageError(
            f"The roster {path} needs a first line with the names of its columns, one of them: id"
        )
    column = header.index("id")
    lines: dict[str, int] = {}
    wrong = []
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        name = row[column].strip() if column < len(row) else ""
        if not _NAME.fullmatch(name):
            wrong.append(f"line {number}: {name!r} cannot be the name of a folder")
        elif name.casefold() in lines:
            wrong.append(f"line {number}: {name!r} is in line {lines[name.casefold()]}, too")
        else:
            lines[name.casefold()] = number
    if not lines and not wrong:
        wrong.append("it names no student")
    if wrong:
        raise UsageError(f"The roster {path} has to be mended first: " + "; ".join(wrong))
    return tuple(rows[number - 1][column].strip() for number in lines.values())


def release_per_student(course: Course, assignment: Assignment, students: Sequence[str]) -> tuple[Path, ...]:
    """Write each student's own copy of an assignment's release.

    Parameters
    ----------
    course : Course
    assignment : Assignment
        Released before: every other cell, and every other file, is that of the release.
    students : sequence of str
        Their ids; the same as the names of the folders in which they will hand in.

    Returns
    -------
    tuple of Path
        The folders, ``release_per_student/<student>/<assignment>``, in the order of `students`.
    """
    release, secret = course.release(assignment.id), course.secret()
    questions = {notebook.name: read_questions(notebook) for notebook in assignment.notebooks}
    folders = []
    for student in students:
        folder = course.root / FOLDER / student / assignment.id
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as making:
            draft = Path(making) / "release"
            shutil.copytree(release, draft)
            for name, asked in questions.items():
                draw = quiz.Draw(secret, student, assignment.id, name)
                _personalise(
                    draft / f"{name}.ipynb", {key: draw.released(each) for key, each in asked.items()}
                )
            if folder.exists():
                shutil.rmtree(folder)
            draft.rename(folder)
        folders.append(folder)
    return tuple(folders)


def _personalise(path: Path, texts: Mapping[str, str]) -> None:
    """Put the student's texts into the questions of a released notebook."""
    from nbformat.v4 import reads, writes  # noqa: PLC0415 - slow to import

    node = reads(path.read_text(encoding="utf-8"))
    for cell in node.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in texts and cell.cell_type == "markdown":
            cell.source = texts[name]
    path.write_text(writes(node) + "\n", encoding="utf-8")
