"""Sorts what grading and people found of a notebook into cards, one per question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from fairmark.feedback import markup
from fairmark.feedback.pictures import draw
from fairmark.results import CellMarks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairmark.feedback.markup import ReadFile
    from fairmark.feedback.occasion import Occasion
    from fairmark.feedback.pictures import Picture
    from fairmark.results import CheckResult, Item, NotebookMarks, QuizAnswer, SubmissionResult

Verdict = Literal["passed", "partial", "failed", "waits", "later"]

_NOTHING = Markup("")
_SPENT = Markup("<p><em>Left out: this page would become too large. It is in your notebook.</em></p>")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that a page of one notebook is made of.

    Parameters
    ----------
    result : SubmissionResult
    notebook : str
        Its name, without the ending.
    cells : sequence of mappings
        The graded notebook's cells, in nbformat's shape; only those that the student wrote are shown.
    marks : NotebookMarks or None
        What the gradebook says about the notebook; None where it knows nothing.
    occasion : Occasion
        When the page is made: what the author lets be shown depends on it.
    read : callable
        Returns the content of a file of the instructor's beside the notebook, by its relative name; None
        where there is none.
    """

    result: SubmissionResult
    notebook: str
    cells: Sequence[Mapping[str, Any]]
    marks: NotebookMarks | None
    occasion: Occasion
    read: ReadFile


class Allowance:
    """So many bytes of a page may still be filled; whatever finds no room is left out, with a note."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, piece: Markup) -> Markup:
        """Return `piece` where there is room for it, else a note."""
        size = len(piece.encode())
        if size > self._left:
            return _SPENT
        self._left -= size
        return piece

    def has(self, size: int) -> bool:
        """Take `size` bytes where they are left."""
        if size > self._left:
            return False
        self._left -= size
        return True


@dataclass(frozen=True, slots=True)
class Block:
    """What is said about one check that did not pass; `picture` is there where it may be shown."""

    title: Markup
    status: str
    message: Markup
    reason: Markup
    same_reason: bool
    hint: Markup
    picture: Picture | None = None
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a question; `told` says whether the key may be shown."""

    text: Markup
    chosen: bool
    right: bool
    explanation: Markup


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of an answer that is not a choice."""

    label: Markup
    given: str
    accepted: Markup
    right: bool
    explanation: Markup


@dataclass(frozen=True, slots=True)
class Quiz:
    """A question as its card shows it."""

    kind: str
    prompt: Markup
    told: bool
    choices: tuple[Choice, ...]
    entries: tuple[Entry, ...]
    explanation: Markup


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a page says about one graded cell."""

    number: int
    title: Markup
    kind: str
    verdict: Verdict
    score: float
    max_score: float
    withheld: str
    manual: bool = False
    extra_credit: float = 0.0
    message: Markup = _NOTHING
    more: str = ""
    hint: Markup = _NOTHING
    works: tuple[Markup, ...] = ()
    blocks: tuple[Block, ...] = ()
    quiz: Quiz | None = None
    comments: tuple[str, ...] = ()
    work: tuple[Markup, ...] = ()
    work_open: bool = False

    @property
    def anchor(self) -> str:
        """Where links to it lead."""
        return f"q{self.number}"

    @property
    def is_counted(self) -> bool:
        """Whether its points may be told."""
        return self.verdict != "later"


def make_cards(sheet: Sheet, room: int) -> tuple[Card, ...]:
    """Return a notebook's cards in the order of its cells.

    Parameters
    ----------
    sheet : Sheet
    room : int
        Bytes for what the student wrote and for pictures.
    """
    known = {each.id: each for each in sheet.marks.cells} if sheet.marks else {}
    items = {item.id: item for item in sheet.result.items if item.notebook == sheet.notebook}
    allowance, pictures = Allowance(room // 2), Allowance(room // 2)
    cards: list[Card] = []
    work: list[Markup] = []
    comments: list[str] = []
    for cell in sheet.cells:
        settings = cell.get("metadata", {}).get("nbgrader", {})
        name = str(settings.get("grade_id", ""))
        own = known.get(name)
        comments += [markup.printable(own.comment)] if own and own.comment else []
        item = items.pop(name, None)
        if settings.get("solution") and (item is None or item.kind == "written"):
            work.append(allowance.take(_show_work(cell)))
        if item is not None:
            given = own or CellMarks(name, item.score, waits=item.needs_review)
            card = _make_card(len(cards) + 1, item, given, sheet, pictures)
            cards.append(
                replace(card, comments=tuple(comments), work=tuple(work), work_open=item.kind == "written")
            )
            work, comments = [], []
    if comments:
        left = Card(
            len(cards) + 1, Markup("Other remarks"), "written", "passed", 0, 0, "", comments=tuple(comments)
        )
        cards.append(left)
    return tuple(cards)


def _show_work(cell: Mapping[str, Any]) -> Markup:
    source = markup.join(cell.get("source"))
    if cell.get("cell_type") != "code":
        attachments = cell.get("attachments")
        return markup.write_student_markdown(source, attachments if isinstance(attachments, dict) else {})
    if not source.strip():
        return Markup("<p><em>You left this cell empty.</em></p>")
    outputs = [markup.write_output(output) for output in cell.get("outputs", ())[:20]]
    return markup.write_code(source) + Markup("").join(outputs)


def _make_card(number: int, item: Item, marks: CellMarks, sheet: Sheet, pictures: Allowance) -> Card:
    occasion = sheet.occasion
    told = occasion.shows_details(item.visibility)
    score = item.score if marks.score is None else marks.score
    card = Card(
        number=number,
        title=markup.write_inline(item.title),
        kind=item.kind,
        verdict=_judge(item, marks, score, occasion),
        score=score,
        max_score=item.max_score,
        withheld=occasion.tell_when(item.visibility),
        manual=marks.manual,
        extra_credit=marks.extra_credit,
        quiz=_make_quiz(item.answer, sheet.read, pictures, told=told) if item.answer else None,
    )
    if not told:
        return card
    first, _, more = item.message.removeprefix("AssertionError: ").partition("\n")
    return replace(
        card,
        message=markup.write_inline(first),
        more=markup.printable(markup.shorten(more, 2_000)),
        hint=markup.write_inline("" if item.checks else item.hint),
        works=tuple(markup.write_inline(check.title) for check in item.checks if check.status == "passed"),
        blocks=_make_blocks(item.checks, occasion, pictures),
    )


def _judge(item: Item, marks: CellMarks, score: float, occasion: Occasion) -> Verdict:
    if not occasion.shows_points(item.visibility):
        return "later"
    if not marks.manual and (marks.waits or item.needs_review) and item.status in ("skipped", "error"):
        return "waits"
    if score >= item.max_score:
        return "passed"
    return "partial" if score > 0 else "failed"


def _make_blocks(checks: Sequence[CheckResult], occasion: Occasion, pictures: Allowance) -> tuple[Block, ...]:
    blocks: list[Block] = []
    reasons: set[str] = set()
    for check in checks:
        if check.status == "passed":
            continue
        picture, withheld = None, ""
        if check.comparison is not None:
            withheld = occasion.tell_when(check.comparison.visibility)
            size = 4 * check.comparison.rows * check.comparison.columns + 6_000
            if occasion.shows_details(check.comparison.visibility) and pictures.has(size):
                picture = draw(check.comparison)
        blocks.append(
            Block(
                title=markup.write_inline(check.title),
                status=check.status,
                message=markup.write_inline(check.message),
                reason=markup.write_inline(check.diagnosis),
                same_reason=check.diagnosis in reasons,
                hint=markup.write_inline(check.hint),
                picture=picture,
                withheld=withheld,
            )
        )
        reasons.add(check.diagnosis)
    return tuple(blocks)


def _make_quiz(answer: QuizAnswer, read: ReadFile, pictures: Allowance, *, told: bool) -> Quiz:
    def author(text: str, *, inline: bool = False) -> Markup:
        written = markup.write_author_markdown(text, read, inline=inline)
        if pictures.has(len(written)):
            return written
        return markup.write_author_markdown(text, lambda _: None, inline=inline)

    return Quiz(
        kind=answer.kind,
        prompt=author(answer.prompt),
        told=told,
        choices=tuple(
            Choice(
                author(outcome.text, inline=True),
                outcome.chosen,
                outcome.right,
                author(outcome.explanation if told else ""),
            )
            for outcome in answer.outcomes
        ),
        entries=tuple(
            Entry(
                author(row.label, inline=True),
                markup.printable(markup.shorten(row.given, 500)),
                author(row.accepted if told else "", inline=True),
                row.right,
                author(row.explanation if told else ""),
            )
            for row in answer.rows
        ),
        explanation=author(answer.explanation if told else ""),
    )
