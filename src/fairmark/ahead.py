"""Grades the submissions that come next while somebody else is still busy with the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairmark.intake import read_parcel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairmark.batch import Session
    from fairmark.course import Parcel, Submission
    from fairmark.worker import Written


class Ahead:
    """Submissions of one assignment, graded before they are asked for.

    Parameters
    ----------
    session : Session
        Its workers grade.
    upcoming : iterable of Submission
        What will probably be asked for, in this order. What is left out, or has changed since it was read, is
        graded when it is asked for.
    """

    def __init__(self, session: Session, upcoming: Iterable[Submission]) -> None:
        self.session = session
        expected = tuple(upcoming)
        self._coming = session.crew.grade(expected, self._read)
        self._expected = {submission.student for submission in expected}
        self._done: dict[str, tuple[Parcel, Written | Exception]] = {}

    def _read(self, submission: Submission) -> Parcel:
        return read_parcel(self.session.course, self.session.assignment, submission)

    def grade(self, submission: Submission) -> tuple[Parcel, Written]:
        """Return what was handed in, and what came of it.

        Raises
        ------
        GraderError, SandboxError
            Where our own parts fail.
        """
        parcel = self._read(submission)
        student = submission.student
        while student in self._expected:
            done, handed_in, outcome = next(self._coming)
            self._expected.discard(done.student)
            self._done[done.student] = handed_in, outcome
        read, written = self._done.pop(student, (None, None))
        if written is None or read != parcel:  # nobody expected it, or it has changed since it was read
            ((_, _, written),) = self.session.crew.grade((submission,), lambda _: parcel)
        if isinstance(written, Exception):
            raise written
        return parcel, written
