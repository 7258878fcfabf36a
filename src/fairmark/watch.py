"""Grades what is handed in within seconds of its arrival, with rooms that stay prepared in between."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fairmark.batch import open_session
from fairmark.course import open_course
from fairmark.errors import FairmarkError
from fairmark.intake import find_submissions
from fairmark.survey import survey_assignment

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairmark.batch import Failure, Session
    from fairmark.course import Course
    from fairmark.fingerprint import Ground
    from fairmark.results import SubmissionResult
    from fairmark.survey import Survey

# How often it looks, and how long what was handed in has to lie untouched.
_LOOK_SECONDS = 1.0
_SETTLE_SECONDS = 0.5


class Listener(Protocol):
    """Is told what a watch does."""

    def begin(self, found: Survey) -> None:
        """Hear what there is to do."""

    def tell(self, student: str, outcome: SubmissionResult | Failure) -> None:
        """Hear what came of one submission, when it is written."""

    def complain(self, words: str) -> None:
        """Hear what keeps the course from being graded at the moment."""


class Watch:
    """Looks after one assignment until it is interrupted.

    A change of the assignment, of its tests or of the settings is taken up, too: then everybody whom it
    concerns is graded again. A folder that is still being copied is waited for, and a fault that is just
    being written into a notebook is told and waited for.

    Parameters
    ----------
    course : Course
    assignment_id : str
    listener : Listener
    begin : callable
        Opens a session with a course: see `fairmark.batch.open_session`.
    """

    def __init__(
        self,
        course: Course,
        assignment_id: str,
        listener: Listener,
        begin: Callable[[Course, str], Session] = open_session,
    ) -> None:
        self.course = course
        self.assignment_id = assignment_id
        self.listener = listener
        self._begin = begin
        self._session: Session | None = None
        self._ground: Ground | None = None

    def run(self) -> None:
        """Watch until interrupted."""
        seen = done = ""
        try:
            while True:
                before, seen = seen, look(self.course, self.assignment_id)
                if seen == done:
                    time.sleep(_LOOK_SECONDS)
                elif seen != before:  # somebody is still at it
                    time.sleep(_SETTLE_SECONDS)
                else:
                    done = seen
                    try:
                        self._grade()
                    except FairmarkError as error:
                        self.listener.complain(str(error))
        finally:
            self._end(at_once=True)

    def _grade(self) -> None:
        typed = self.course.sandbox
        self.course = open_course(self.course.root)
        if typed is not None:
            self.course.config.Fairmark.sandbox = typed
        found = survey_assignment(self.course, self.assignment_id)
        if not found.todo:
            return
        self.listener.begin(found)
        if self._session is None or self._ground != found.ground:
            self._end()
            self._session, self._ground = self._begin(self.course, self.assignment_id), found.ground
        for student, outcome in self._session.grade(found):
            self.listener.tell(student, outcome)

    def _end(self, *, at_once: bool = False) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close(at_once=at_once)


def look(course: Course, assignment_id: str) -> str:
    """Return what changes whenever a file changes that a grade of the assignment may depend on."""
    digest = hashlib.sha256()
    handed = [submission.folder for submission in find_submissions(course, assignment_id)]
    settings = sorted(course.root.glob("*.py"))
    for top in (course.source(assignment_id), course.root / "autograder", *settings, *handed):
        paths = [top] if top.is_file() else []
        for folder, subfolders, names in os.walk(top):
            subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
            paths += [Path(folder, name) for name in sorted(names)]
        for path in paths:
            with suppress(OSError):
                state = path.lstat()
                digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\0".encode("utf-8", "replace"))
    return digest.hexdigest()
