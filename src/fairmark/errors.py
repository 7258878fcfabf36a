"""What can go wrong, as a tree; every message says what happened, where, and what to do next.

FairmarkError
├── UsageError            the command or the configuration is wrong              exit code 2
├── AuthorError           the course is wrong: a list of `Fault`s, all at once   exit code 1
├── Ungradable            a submission's file cannot be read: the student's
└── GraderError           our own failure: never a student's zero                exit code 1
    ├── SandboxError      a room cannot be built on this machine
    └── RoomLost          a room died or was stopped while it worked
"""

from __future__ import annotations

from dataclasses import dataclass


class FairmarkError(Exception):
    """Base of all errors that fairmark raises on purpose."""


class UsageError(FairmarkError):
    """The command or the configuration is wrong."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake of a course's author, with the place where it is.

    Parameters
    ----------
    file : str
        The notebook, relative to the course folder.
    cell : str
        The cell's ``grade_id``, or ``cell 7`` (counted from 1) where it has none; may be empty.
    message : str
        What is wrong and what to do about it.
    """

    file: str
    cell: str
    message: str

    def __str__(self) -> str:
        """Tell place and message in one line."""
        place = f"{self.file}, {self.cell}" if self.cell else self.file
        return f"{place}: {self.message}"


class AuthorError(FairmarkError):
    """The course has faults; all of them are told at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class Ungradable(FairmarkError):  # noqa: N818 - it is the name of a state, as in results
    """A submitted file cannot be read as a notebook; the message is for the student."""


class GraderError(FairmarkError):
    """Our own failure."""


class SandboxError(GraderError):
    """A room cannot be built on this machine; the message says what is missing."""


class RoomLost(GraderError):  # noqa: N818 - it is what happened
    """A room ended while it worked.

    Parameters
    ----------
    reason : str
        ``timeout``, ``memory``, ``cpu``, ``crash``, ``output`` or ``protocol``.
    message : str
        One sentence for the student.
    limit : str
        The name of the limit that was met, as in `fairmark.results.Limit`; empty where it was none.
    """

    def __init__(self, reason: str, message: str, limit: str = "") -> None:
        self.reason = reason
        self.limit = limit
        super().__init__(message)
