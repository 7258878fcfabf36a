"""The table of an assignment as nbgrader itself adds it up, by queries of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbgrader import api
from sqlalchemy import select

from fairmark.gradebook.opening import open_gradebook

if TYPE_CHECKING:
    from fairmark.course import Course


@dataclass(frozen=True, slots=True)
class Score:
    """One student's line; the score with manual marks and extra credit, before the penalty."""

    student: str
    score: float
    late_penalty: float
    timestamp: datetime | None


def read_scores(course: Course, assignment_id: str) -> tuple[Score, ...]:
    """Return one line per student who is in the gradebook for an assignment, sorted by student."""
    row = api.SubmittedAssignment
    query = (
        select(row.student_id, row.score, row.late_submission_penalty, row.timestamp)
        .join(api.Assignment, api.Assignment.id == row.assignment_id)
        .where(api.Assignment.name == assignment_id)
        .order_by(row.student_id)
    )
    with open_gradebook(course) as book:
        return tuple(
            Score(student, score, penalty, time and time.replace(tzinfo=UTC))
            for student, score, penalty, time in book.db.execute(query)
        )
