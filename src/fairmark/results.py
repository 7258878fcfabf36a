"""The result of grading one submission, as frozen records and as one JSON document."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = "fairmark/result/v1"

Kind = Literal["quiz", "code", "git", "environment", "written"]
Status = Literal["passed", "failed", "partial", "skipped", "error"]
Visibility = Literal["visible", "hidden", "after_due_date", "after_published"]
# The limits of a room, by name; "" where none was met.
Limit = Literal[
    "",
    "cell_time",
    "submission_time",
    "cpu",
    "memory",
    "processes",
    "threads",
    "file_size",
    "disk",
    "files",
    "shared_memory",
    "open_files",
    "output_size",
    "outputs",
    "answer_size",
]
SubmissionStatus = Literal["graded", "ungradable", "timeout", "out_of_memory", "crashed", "error"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of a graded cell found.

    `title` and `message` are for the student; `hint` says what to try next; `diagnosis` names the
    likely mistake where the result is exactly what that mistake would give.
    """

    title: str
    status: Status
    score: float
    max_score: float
    message: str = ""
    hint: str = ""
    diagnosis: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One graded cell of a submission.

    Parameters
    ----------
    id : str
        The cell's ``grade_id``.
    notebook : str
        The notebook's name without its ending.
    score, max_score : float
        In points of the course; `score` is 0 while `needs_review` is set and no rule could decide.
    needs_review : bool
        A person has to look: a written answer, or a failure of ours.
    limit : Limit
        The limit that the student's code met in this cell, or in the cells before it where the cell's test
        failed; `message` tells it in words.
    """

    id: str
    notebook: str
    kind: Kind
    title: str
    status: Status
    score: float
    max_score: float
    visibility: Visibility = "visible"
    message: str = ""
    hint: str = ""
    duration_s: float = 0.0
    needs_review: bool = False
    checks: tuple[CheckResult, ...] = ()
    attachments: tuple[str, ...] = ()
    limit: Limit = ""


@dataclass(frozen=True, slots=True)
class AssignmentStamp:
    """Which assignment, and the state of its source it was graded with."""

    id: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class SubmissionStamp:
    """Whose work, when it was handed in (ISO 8601, UTC) and where it came from."""

    student: str
    submitted_at: str | None = None
    collected_from: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class GraderStamp:
    """Who graded: versions, seed and sandbox, so that the grade can be made again."""

    version: str
    python: str
    packages_sha256: str
    seed: int
    sandbox: str
    graded_at: str


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """Everything that grading one submission found."""

    assignment: AssignmentStamp
    submission: SubmissionStamp
    grader: GraderStamp
    status: SubmissionStatus
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    schema: str = field(default=SCHEMA)

    @property
    def score(self) -> float:
        """Sum of the items' points."""
        return sum(item.score for item in self.items)

    @property
    def max_score(self) -> float:
        """Sum of the items' highest points."""
        return sum(item.max_score for item in self.items)


def to_document(result: SubmissionResult) -> dict[str, Any]:
    """Return `result` as plain data in the shape of the JSON document."""
    return asdict(result) | {"score": result.score, "max_score": result.max_score}


def to_json(result: SubmissionResult) -> str:
    """Return `result` as the text of ``result.json``."""
    return json.dumps(to_document(result), indent=2, sort_keys=True) + "\n"


def from_document(document: dict[str, Any]) -> SubmissionResult:
    """Read a document that `to_document` made.

    Raises
    ------
    ValueError
        Where the document is of another schema.
    """
    if document.get("schema") != SCHEMA:
        raise ValueError(f"expected schema {SCHEMA}, got {document.get('schema')!r}")
    items = tuple(
        Item(
            **{
                **item,
                "checks": tuple(CheckResult(**check) for check in item["checks"]),
                "attachments": tuple(item["attachments"]),
            }
        )
        for item in document["items"]
    )
    return SubmissionResult(
        assignment=AssignmentStamp(**document["assignment"]),
        submission=SubmissionStamp(**document["submission"]),
        grader=GraderStamp(**document["grader"]),
        status=document["status"],
        items=items,
        notes=tuple(document["notes"]),
    )
