"""The result of grading one submission, as frozen records and as one JSON document."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

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
    "notebook_output",
    "answer_size",
]
SubmissionStatus = Literal["graded", "ungradable", "timeout", "out_of_memory", "crashed", "error"]


MAX_PREVIEW = 96  # pixels along a side of a preview
MAX_NUMBERS = 7  # rows and columns of numbers around the worst pixel
NOT_FINITE = 255  # the grey level of a preview that stands for NaN and infinite values
_MAX_NUMBER = 16
_MAX_TEXT = {"title": 200, "message": 2_000, "hint": 1_000, "diagnosis": 1_000}
_MAX_CHECKS = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """A result beside the expected one, small enough for a feedback page: previews, and some numbers.

    Parameters
    ----------
    shape : tuple of int
        Of the whole array; of a stack, the slice with the worst pixel is shown.
    worst : tuple of int
        Where the difference is largest.
    rows, columns : int
        Of each preview.
    low, high : float
        What the darkest and the brightest grey of `expected` and `actual` stand for.
    span : float
        The largest absolute difference.
    expected, actual : str
        Grey levels 0 to 254 (255: not finite), row by row, as base64.
    difference : str
        ``actual - expected``: -span to span as 0 to 254, 127 is no difference (255: not finite).
    corner : tuple of int
        Row and column of the first of the `numbers`.
    expected_numbers, actual_numbers : tuple of tuple of str
        The values around the worst pixel, as text.
    visibility : str
        When the student may see it.
    """

    shape: tuple[int, ...]
    worst: tuple[int, ...]
    rows: int
    columns: int
    low: float
    high: float
    span: float
    expected: str
    actual: str
    difference: str
    corner: tuple[int, int]
    expected_numbers: tuple[tuple[str, ...], ...]
    actual_numbers: tuple[tuple[str, ...], ...]
    visibility: Visibility = "after_due_date"

    def __post_init__(self) -> None:
        """Refuse what is not of the right form or too large.

        Raises
        ------
        ValueError
            With the name of what is wrong.
        """
        for name in ("shape", "worst", "corner"):
            numbers = getattr(self, name)
            _require(isinstance(numbers, tuple) and 0 < len(numbers) <= 32, name)
            _require(all(type(number) is int and 0 <= number < 2**40 for number in numbers), name)
        _require(len(self.worst) == len(self.shape) and len(self.corner) == 2, "worst")
        for name in ("rows", "columns"):
            _require(type(getattr(self, name)) is int and 1 <= getattr(self, name) <= MAX_PREVIEW, name)
        for name in ("low", "high", "span"):
            _require(isinstance(getattr(self, name), float) and math.isfinite(getattr(self, name)), name)
        for name in ("expected", "actual", "difference"):
            self.levels(name)
        for name in ("expected_numbers", "actual_numbers"):
            table = getattr(self, name)
            _require(isinstance(table, tuple) and 1 <= len(table) <= MAX_NUMBERS, name)
            for row in table:
                _require(isinstance(row, tuple) and 1 <= len(row) <= MAX_NUMBERS, name)
                _require(all(isinstance(text, str) and len(text) <= _MAX_NUMBER for text in row), name)
        sizes = [tuple(map(len, table)) for table in (self.expected_numbers, self.actual_numbers)]
        _require(sizes[0] == sizes[1] and len(set(sizes[0])) == 1, "actual_numbers")
        _require(self.visibility in get_args(Visibility), "visibility")

    def levels(self, name: str) -> bytes:
        """Return one of the previews (``expected``, ``actual``, ``difference``) row by row."""
        text = getattr(self, name)
        _require(isinstance(text, str) and len(text) <= 2 * MAX_PREVIEW**2, name)
        try:
            levels = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"{name} is not of the right form: no base64") from None
        _require(len(levels) == self.rows * self.columns, name)
        return levels


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one option of a choice turned out: `right` says that it belongs to the key."""

    text: str
    chosen: bool
    right: bool
    explanation: str


@dataclass(frozen=True, slots=True)
class Row:
    """What was given and what is accepted in one place of the answer.

    `given` may be the student's own text and must be escaped wherever it is shown.
    """

    label: str
    given: str
    accepted: str
    right: bool
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class QuizAnswer:
    """A question with what was answered, what is right, and why; texts of the author's are Markdown.

    Parameters
    ----------
    kind : str
        As in `fairmark.quiz.QuestionKind`.
    prompt : str
        The question.
    answered : bool
    outcomes : tuple of Outcome
        The options of a choice; else empty.
    rows : tuple of Row
        The places of any other answer.
    explanation : str
        For everyone after grading.
    """

    kind: str
    prompt: str
    answered: bool
    outcomes: tuple[Outcome, ...] = ()
    rows: tuple[Row, ...] = ()
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of a graded cell found.

    `title` and `message` are for the student; `hint` says what to try next; `diagnosis` names the
    likely mistake where the result is exactly what that mistake would give. `comparison` shows an image
    beside the expected one.
    """

    title: str
    status: Status
    score: float
    max_score: float
    message: str = ""
    hint: str = ""
    diagnosis: str = ""
    comparison: Comparison | None = None


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
    answer: QuizAnswer | None = None


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
    """Who graded: versions, seed and sandbox, so that the grade can be made again.

    `sandbox` is the level that was reached: ``bubblewrap``, ``bubblewrap+landlock``, ``landlock``, ``none``
    where student code could have done anything; empty where no code was run.
    """

    version: str
    python: str
    packages_sha256: str
    seed: int
    sandbox: str
    graded_at: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a grade rests on, as hexadecimal SHA-256 digests: where all are the same, so is the grade.

    Parameters
    ----------
    source : str
        The instructor's notebooks and files.
    submission : str
        All that was handed in, when, and by whom.
    autograder : str
        The course's folder of checks and references.
    packages : str
        Names and versions of what is installed, and of Python.
    config : str
        The course's settings, and the files beside them that they may call upon.
    grader : str
        fairmark's version and its own code.
    seed : str
        The course's secret, which all rooms' seeds are derived from.
    evidence : str
        What was seen of work that is done elsewhere, such as in git; the same for all other assignments.
    """

    source: str
    submission: str
    autograder: str
    packages: str
    config: str
    grader: str
    seed: str
    evidence: str = ""

    @property
    def digest(self) -> str:
        """All of it in one."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


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
    fingerprint: Fingerprint | None = None

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
                "checks": tuple(_read_check(check) for check in item["checks"]),
                "attachments": tuple(item["attachments"]),
                "answer": _read_answer(item.get("answer")),
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
        fingerprint=Fingerprint(**document["fingerprint"]) if document.get("fingerprint") else None,
    )


def read_checks(report: object) -> tuple[CheckResult, ...]:
    """Return the checks of a report that a test cell gave as plain data.

    Raises
    ------
    ValueError
        Where it is not of the right form, or larger than the limits; the message says what is wrong.
    """
    _require(isinstance(report, dict), "report")
    assert isinstance(report, dict)  # noqa: S101 - for the type checker
    checks = report.get("checks")
    _require(isinstance(checks, list | tuple) and len(checks) <= _MAX_CHECKS, "checks")
    return tuple(_read_check(check) for check in checks or ())


def _read_check(given: Any) -> CheckResult:
    known = {field.name for field in fields(CheckResult)}
    _require(isinstance(given, dict) and given.keys() <= known, "a check")
    comparison = given.get("comparison")
    try:
        check = CheckResult(**{**given, "comparison": _read_comparison(comparison)})
    except TypeError as error:
        raise ValueError(f"a check is not of the right form: {error}") from None
    for name, limit in _MAX_TEXT.items():
        text = getattr(check, name)
        _require(isinstance(text, str) and len(text) <= limit, name)
    _require(check.status in get_args(Status), "status")
    for name in ("score", "max_score"):
        number = getattr(check, name)
        _require(type(number) in (int, float) and math.isfinite(number), name)
    return check


def _read_comparison(given: Any) -> Comparison | None:
    if given is None:
        return None
    _require(isinstance(given, dict), "comparison")
    return Comparison(
        **{
            **given,
            **{name: _tuple(given.get(name)) for name in ("shape", "worst", "corner")},
            **{
                name: tuple(_tuple(row) for row in _tuple(given.get(name)))
                for name in ("expected_numbers", "actual_numbers")
            },
        }
    )


def _read_answer(given: Any) -> QuizAnswer | None:
    if given is None:
        return None
    return QuizAnswer(
        **{
            **given,
            "outcomes": tuple(Outcome(**outcome) for outcome in given["outcomes"]),
            "rows": tuple(Row(**row) for row in given["rows"]),
        }
    )


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def _require(good: bool, name: str) -> None:  # noqa: FBT001
    if not good:
        raise ValueError(f"{name} is not of the right form, or too large")


# --- what people add ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CellMarks:
    """What the gradebook says about one cell.

    Parameters
    ----------
    id : str
        The cell's ``grade_id``.
    score : float or None
        With the manual score, where there is one, and extra credit; None where the cell has no points.
    manual : bool
        A person gave the score.
    extra_credit : float
    comment : str
        A person's, else empty.
    waits : bool
        A person has still to look at it.
    """

    id: str
    score: float | None = None
    manual: bool = False
    extra_credit: float = 0.0
    comment: str = ""
    waits: bool = False


@dataclass(frozen=True, slots=True)
class NotebookMarks:
    """What the gradebook says about one notebook of a submission."""

    notebook: str
    late_penalty: float = 0.0
    cells: tuple[CellMarks, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Points of one question that changed when a submission was graded again.

    Parameters
    ----------
    student, notebook, id : str
        Whose, and which cell.
    before, after, max_score : float
        Automatic points.
    why : tuple of str
        What was different, in words: the key or the tests, the submission, the packages, …
    at : str
        When, ISO 8601 in UTC.
    kept : bool
        A person's score stands, so that nothing changes for the student.
    """

    student: str
    notebook: str
    id: str
    before: float
    after: float
    max_score: float
    why: tuple[str, ...]
    at: str = ""
    kept: bool = False
