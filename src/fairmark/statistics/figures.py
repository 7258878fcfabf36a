"""Counts what the results of an assignment say about the class and about each question."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import fmean, median, pstdev
from typing import TYPE_CHECKING

from fairmark.statistics.likeness import find_alike_pairs, find_equal_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairmark.results import Item, Move, SubmissionResult
    from fairmark.statistics.likeness import AlikePair, EqualCells

_FEWEST_FOR_DISCRIMINATION = 5
_MOST_SLOW = 25
BINS = 10


@dataclass(frozen=True, slots=True)
class ClassWork:
    """Everything that the figures of one assignment are counted from.

    Parameters
    ----------
    assignment : str
    results : tuple of SubmissionResult
        With the points that count: where a person gave others than the grader, theirs.
    roster : tuple of str
        All students of the course.
    penalties : mapping of str to float
        What each student lost for being late, in points.
    works : mapping of student to mapping of cell to text
        What each student wrote.
    moves : tuple of Move
        Whose points changed when something was graded again.
    """

    assignment: str
    results: tuple[SubmissionResult, ...]
    roster: tuple[str, ...] = ()
    penalties: Mapping[str, float] = field(default_factory=dict)
    works: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class StudentFigures:
    """One student's line; `seconds` is how long grading took."""

    student: str
    status: str
    score: float
    max_score: float
    percent: float
    late_penalty: float
    waiting: int
    seconds: float
    submitted_at: str


@dataclass(frozen=True, slots=True)
class QuestionFigures:
    """One question.

    Parameters
    ----------
    difficulty : float
        Mean part of the points that was reached: 1 is easy, 0 is hard.
    discrimination : float or None
        Correlation of a student's part of these points with the part of all other points, -1 to 1; None
        where all have the same, or fewer than five handed in.
    full, none : int
        Students with all and with no points.
    waiting : int
        Students whose answer waits for a person.
    seconds, slowest : float
        Median and largest time that the cell took.
    slowest_student : str
    """

    id: str
    notebook: str
    title: str
    kind: str
    max_score: float
    difficulty: float
    discrimination: float | None
    full: int
    none: int
    waiting: int
    seconds: float
    slowest: float
    slowest_student: str


@dataclass(frozen=True, slots=True)
class OptionFigures:
    """How many students chose an option."""

    question: str
    title: str
    option: str
    right: bool
    chosen: int
    answers: int


@dataclass(frozen=True, slots=True)
class DiagnosisFigures:
    """A likely mistake and the students who made it."""

    question: str
    title: str
    diagnosis: str
    students: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckFigures:
    """How often a check, or a rule about a repository or an environment, passed."""

    question: str
    kind: str
    check: str
    passed: int
    failed: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer, or a whole submission, that a person has to look at, and why."""

    student: str
    question: str
    why: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of an assignment; `bins` counts students by tenths of the points."""

    assignment: str
    max_score: float
    students: tuple[StudentFigures, ...]
    missing: tuple[str, ...]
    bins: tuple[int, ...]
    mean: float
    median: float
    deviation: float
    questions: tuple[QuestionFigures, ...]
    options: tuple[OptionFigures, ...]
    diagnoses: tuple[DiagnosisFigures, ...]
    checks: tuple[CheckFigures, ...]
    waiting: tuple[Waiting, ...]
    equal: tuple[EqualCells, ...]
    alike: tuple[AlikePair, ...]
    same_commit: tuple[tuple[str, tuple[str, ...]], ...]
    moves: tuple[Move, ...]

    @property
    def seconds(self) -> float:
        """How long all cells of the class took together."""
        return sum(each.seconds for each in self.students)

    @property
    def slow(self) -> tuple[QuestionFigures, ...]:
        """The questions that took longest, by their slowest student."""
        return tuple(sorted(self.questions, key=lambda each: -each.slowest)[:_MOST_SLOW])

    @property
    def wrong_options(self) -> tuple[OptionFigures, ...]:
        """Wrong options that somebody chose, the most popular first."""
        wrong = [each for each in self.options if not each.right and each.chosen]
        return tuple(sorted(wrong, key=lambda each: (-each.chosen / each.answers, each.question)))


def count(work: ClassWork) -> Figures:
    """Return the figures of one assignment."""
    results = sorted(work.results, key=lambda result: result.submission.student)
    students = tuple(_count_student(result, work.penalties) for result in results)
    percents = [each.percent for each in students]
    handed = {each.student for each in students}
    return Figures(
        assignment=work.assignment,
        max_score=max((each.max_score for each in students), default=0.0),
        students=students,
        missing=tuple(sorted(set(work.roster) - handed)),
        bins=_bin(percents),
        mean=fmean(percents) if percents else 0.0,
        median=median(percents) if percents else 0.0,
        deviation=pstdev(percents) if percents else 0.0,
        questions=_count_questions(results),
        options=tuple(_count_options(results)),
        diagnoses=_count_diagnoses(results),
        checks=_count_checks(results),
        waiting=tuple(_find_waiting(results)),
        equal=find_equal_cells(work.works),
        alike=find_alike_pairs(work.works),
        same_commit=_find_same_commits(results),
        moves=work.moves,
    )


def _count_student(result: SubmissionResult, penalties: Mapping[str, float]) -> StudentFigures:
    student = result.submission.student
    penalty = penalties.get(student, 0.0)
    score = result.score - penalty
    return StudentFigures(
        student=student,
        status=result.status,
        score=round(score, 6),
        max_score=result.max_score,
        percent=100 * score / result.max_score if result.max_score else 0.0,
        late_penalty=penalty,
        waiting=sum(item.needs_review for item in result.items),
        seconds=round(sum(item.duration_s for item in result.items), 3),
        submitted_at=result.submission.submitted_at or "",
    )


def _bin(percents: Sequence[float]) -> tuple[int, ...]:
    bins = [0] * BINS
    for percent in percents:
        bins[min(max(int(percent * BINS / 100), 0), BINS - 1)] += 1
    return tuple(bins)


def _by_question(results: Sequence[SubmissionResult]) -> dict[tuple[str, str], list[tuple[str, Item]]]:
    """Return each question's items with their students, in the order of the notebooks."""
    items: dict[tuple[str, str], list[tuple[str, Item]]] = defaultdict(list)
    for result in results:
        for item in result.items:
            items[item.notebook, item.id].append((result.submission.student, item))
    return items


def _count_questions(results: Sequence[SubmissionResult]) -> tuple[QuestionFigures, ...]:
    totals = {result.submission.student: (result.score, result.max_score) for result in results}
    return tuple(
        _count_question(notebook, grade_id, items, totals)
        for (notebook, grade_id), items in _by_question(results).items()
    )


def _count_question(
    notebook: str, grade_id: str, items: list[tuple[str, Item]], totals: Mapping[str, tuple[float, float]]
) -> QuestionFigures:
    first = items[0][1]
    judged = [(student, item) for student, item in items if not item.needs_review and item.max_score]
    shares = [item.score / item.max_score for _, item in judged]
    slowest_student, slowest = max(items, key=lambda pair: pair[1].duration_s)
    return QuestionFigures(
        id=grade_id,
        notebook=notebook,
        title=first.title,
        kind=first.kind,
        max_score=first.max_score,
        difficulty=fmean(shares) if shares else 0.0,
        discrimination=_correlate(shares, [_rest(item, totals[student]) for student, item in judged]),
        full=sum(share >= 1 for share in shares),
        none=sum(share <= 0 for share in shares),
        waiting=sum(item.needs_review for _, item in items),
        seconds=median(item.duration_s for _, item in items),
        slowest=slowest.duration_s,
        slowest_student=slowest_student,
    )


def _rest(item: Item, total: tuple[float, float]) -> float:
    """Return the part of all other questions' points that a student has."""
    score, most = total[0] - item.score, total[1] - item.max_score
    return score / most if most > 0 else 0.0


def _correlate(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Pearson's correlation; None where it says nothing."""
    if len(first) < _FEWEST_FOR_DISCRIMINATION:
        return None
    spreads = pstdev(first), pstdev(second)
    if min(spreads) < 1e-9:
        return None
    means = fmean(first), fmean(second)
    together = fmean((a - means[0]) * (b - means[1]) for a, b in zip(first, second, strict=True))
    return max(-1.0, min(1.0, together / (spreads[0] * spreads[1])))


def _count_options(results: Sequence[SubmissionResult]) -> Iterator[OptionFigures]:
    for (_, grade_id), items in _by_question(results).items():
        answers = [item.answer for _, item in items if item.answer is not None and item.answer.answered]
        chosen: Counter[tuple[str, bool]] = Counter()
        for answer in answers:
            for outcome in answer.outcomes:
                chosen[outcome.text, outcome.right] += outcome.chosen
            for row in answer.rows:
                if row.given and not row.right:
                    label = f"{row.label}: {row.given}" if row.label else row.given
                    chosen[label[:200], False] += 1
        for (text, right), number in chosen.items():
            yield OptionFigures(grade_id, items[0][1].title, text, right, number, len(answers))


def _count_diagnoses(results: Sequence[SubmissionResult]) -> tuple[DiagnosisFigures, ...]:
    students: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for result in results:
        for item in result.items:
            for check in item.checks:
                if check.diagnosis:
                    students[item.id, item.title, check.diagnosis][result.submission.student] = None
    found = [DiagnosisFigures(*key, tuple(names)) for key, names in students.items()]
    return tuple(sorted(found, key=lambda each: (-len(each.students), each.question, each.diagnosis)))


def _count_checks(results: Sequence[SubmissionResult]) -> tuple[CheckFigures, ...]:
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for result in results:
        for item in result.items:
            for check in item.checks:
                counts[item.id, item.kind, check.title][check.status] += 1
    return tuple(
        CheckFigures(*key, got["passed"], got["failed"] + got["partial"], got["skipped"] + got["error"])
        for key, got in counts.items()
    )


def _find_waiting(results: Sequence[SubmissionResult]) -> Iterator[Waiting]:
    for result in results:
        student = result.submission.student
        if result.status != "graded":
            why = result.notes[0] if result.notes else ""
            yield Waiting(student, "", f"{result.status}{': ' if why else ''}{why}"[:300])
        for item in result.items:
            if item.needs_review:
                yield Waiting(student, item.id, (item.message or "A person grades this answer.")[:300])


def _find_same_commits(results: Sequence[SubmissionResult]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    students: dict[str, list[str]] = defaultdict(list)
    for result in results:
        if result.submission.commit:
            students[result.submission.commit].append(result.submission.student)
    return tuple((commit, tuple(names)) for commit, names in students.items() if len(names) > 1)
