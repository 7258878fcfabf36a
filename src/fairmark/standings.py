"""How the class stands in an assignment: result documents and gradebook, read together for the exporters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fairmark.exporters.standing import stand
from fairmark.gradebook.reading import read_hand_ins
from fairmark.results import from_document

if TYPE_CHECKING:
    from fairmark.course import Course
    from fairmark.exporters.standing import Standing
    from fairmark.results import SubmissionResult


def read_result(course: Course, student: str, assignment_id: str) -> SubmissionResult | None:
    """Return the result document beside a graded submission; None where there is none that can be read."""
    path = course.autograded(student, assignment_id) / "result.json"
    try:
        return from_document(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_standings(
    course: Course, assignment_id: str, students: tuple[str, ...] = ()
) -> tuple[Standing, ...]:
    """Return how each student stands in an assignment, sorted by student.

    Parameters
    ----------
    course : Course
    assignment_id : str
    students : tuple of str, optional
        Only these.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    return tuple(
        stand(assignment_id, read_result(course, marks.person.id, assignment_id), marks)
        for marks in read_hand_ins(course, assignment_id)
        if not students or marks.person.id in students
    )
