"""Read a question from its author's cell, and find all of the author's mistakes at once."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

from fairmark.errors import AuthorError, Fault
from fairmark.quiz.answering import (
    ANSWER_MARK,
    answer_lines,
    assemble,
    blank,
    lettered,
    match_rows,
    read_answer,
    table_row,
)
from fairmark.quiz.giveaways import find_giveaways
from fairmark.quiz.marking import UnreadableError, mark, read_command, read_quantity
from fairmark.quiz.markup import Box, Sheet, fold, parse_fully, read_sheet, without_code_span
from fairmark.quiz.records import Option, Pair, Question, QuestionKind
from fairmark.quiz.variants import has_swallowed_mark, split_variants, telling_lines
from fairmark.results import Visibility

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from markdown_it.token import Token

    from fairmark.quiz.markup import Item

_KINDS: tuple[str, ...] = get_args(QuestionKind)
_VISIBILITIES: tuple[str, ...] = get_args(Visibility)
_CREDITS = {"any": ("off", "net", "each"), "match": ("each", "off")}  # the first is the default
_SETTINGS = ("kind", "credit", "shuffle", "fold", "visibility")
_SENTENCE = re.compile(r"[.?!](?=\s+[A-Z(])")
_TITLE_LENGTH = 120


def is_question(cell_type: str, source: str, metadata: Mapping[str, Any]) -> bool:
    """Tell whether an instructor's cell is a quiz question.

    Parameters
    ----------
    cell_type, source : str
        The instructor's cell, never a student's.
    metadata : mapping
        The cell's whole metadata.
    """
    grading = metadata.get("nbgrader")
    if cell_type != "markdown" or not isinstance(grading, dict):
        return False
    if not grading.get("grade") or not grading.get("solution") or grading.get("task"):
        return False
    settings = metadata.get("fairmark")
    return (isinstance(settings, dict) and "kind" in settings) or bool(read_sheet(source).task_items)


def find_faults(
    source: str,
    *,
    id: str,  # noqa: A002
    points: object,
    settings: object = None,
) -> tuple[str, ...]:
    """Return one sentence for each mistake of the question's author.

    Parameters
    ----------
    source : str
        The author's cell.
    id : str
        The cell's ``grade_id``.
    points : object
        What the cell's metadata has as points.
    settings : object
        What the cell has as ``metadata.fairmark``.
    """
    return _read(source, id, points, settings)[1]


def read_question(
    source: str,
    *,
    id: str,  # noqa: A002
    points: object,
    settings: object = None,
) -> Question:
    """Return the question in an author's cell; the parameters are those of `find_faults`.

    Raises
    ------
    AuthorError
        With all faults, each with the cell's id and an empty file name.
    """
    question, faults = _read(source, id, points, settings)
    if faults or question is None:
        raise AuthorError(tuple(Fault("", id, message) for message in faults))
    return question


def _read(
    source: str, name: str, points: object, settings: object
) -> tuple[Question | None, tuple[str, ...]]:
    """Read all variants of a question."""
    parts = split_variants(source)
    read = [_read_variant(part, name, points, settings) for part in parts]
    if len(parts) == 1:
        found = read[0][1]
    else:
        told = [(number, message) for number, (_, faults) in enumerate(read, 1) for message in faults]
        often = Counter(message for _, message in told)  # what is wrong with the cell is said once
        found = tuple(
            dict.fromkeys(
                message if often[message] == len(parts) else f"Variant {number}: {message}"
                for number, message in told
            )
        )
    faults = list(found)
    if has_swallowed_mark(source):
        faults.append("A line '+++' is part of a paragraph or list: leave a blank line above and below it.")
    questions = [question for question, _ in read if question is not None]
    if len(questions) == len(parts) > 1:
        faults += _find_faults_of_variants(questions)
    if faults or not questions:
        return None, tuple(faults)
    return replace(questions[0], others=tuple(questions[1:])), ()


def _find_faults_of_variants(questions: list[Question]) -> Iterator[str]:
    """Compare the variants of a question: they must be alike for the gradebook, and differ for the reader."""
    kinds = sorted({question.kind for question in questions})
    if len(kinds) > 1:
        yield f"The variants are of different kinds ({', '.join(kinds)}): say in metadata.fairmark which."
    for number, lines in enumerate(telling_lines(questions), 1):
        if not lines:
            yield f"Variant {number} has no line of its own, so that nobody can tell it from the others."


def _read_variant(
    source: str, name: str, points: object, settings: object
) -> tuple[Question | None, tuple[str, ...]]:
    chosen = settings if isinstance(settings, dict) else {}
    faults = [*_find_faults_of_settings(settings), *_find_faults_of_points(points)]
    sheet = read_sheet(source)
    kind = chosen.get("kind", _guess_kind(sheet))
    if kind not in _KINDS:
        return None, tuple(faults)
    key = _read_key(kind, sheet)
    explanation, strays = _read_quotes(kind, sheet)
    released = blank(source, id=name, settings={"kind": kind})
    faults += _find_faults_of_key(kind, sheet, key)
    faults += [f"The quote {text!r} explains nothing: indent it below an option." for text in strays]
    faults += find_giveaways(released, key.texts)
    if faults:
        return None, tuple(faults)
    question = Question(
        id=name,
        kind=kind,
        points=float(str(points)),
        title=_title(released) or name,
        prompt=_prompt(kind, released),
        released=released,
        options=key.options,
        pairs=key.pairs,
        accepted=key.accepted,
        credit=chosen.get("credit", _CREDITS.get(kind, ("off",))[0]),
        fold=chosen.get("fold", True),
        shuffle=chosen.get("shuffle", False),
        visibility=chosen.get("visibility", "visible"),
        explanation=explanation,
    )
    return question, tuple(_find_contradictions(question, source))


def _find_contradictions(question: Question, source: str) -> Iterator[str]:
    """Prove the question: its release is unanswered, and its key earns all points, also when set in."""
    if mark(question, read_answer(question, question.released)).answered:
        yield "Something in the released text would count as an answer: write it another way."
    for text in (source, assemble(question, source)):
        proof = mark(question, read_answer(question, text))
        if proof.status != "passed":
            yield f"The key itself would not earn the points: {proof.message} Write the cell more simply."
            return


# --- settings and points -------------------------------------------------------------------------------


def _guess_kind(sheet: Sheet) -> str:
    ticks = sum(item.box is Box.TICKED for item in sheet.task_items)
    return "any" if ticks > 1 else "one"


def _find_faults_of_points(points: object) -> Iterator[str]:
    if points is None:
        yield "The points are missing: set them in the cell's assignment tool."
    elif isinstance(points, bool) or not isinstance(points, int | float) or not 0 < points < float("inf"):
        yield f"The points must be a number above 0, not {points!r}."


def _find_faults_of_settings(settings: object) -> Iterator[str]:
    if settings is None:
        return
    if not isinstance(settings, dict):
        yield 'metadata.fairmark must be a set of names with values, like {"kind": "any"}.'
        return
    for key in settings:
        if key not in _SETTINGS:
            yield f"metadata.fairmark has the unknown setting {key!r}; known are {', '.join(_SETTINGS)}."
    for key in ("shuffle", "fold"):
        if not isinstance(settings.get(key, True), bool):
            yield f"The setting {key!r} must be true or false."
    visibility = settings.get("visibility", "visible")
    if visibility not in _VISIBILITIES:
        yield f"The visibility {visibility!r} is unknown; known are {', '.join(_VISIBILITIES)}."
    if settings.get("kind", "any") in _KINDS:
        yield from _find_faults_of_credit(settings.get("kind", "any"), settings.get("credit"))
    else:
        yield f"The kind {settings['kind']!r} is unknown; known are {', '.join(_KINDS)}."


def _find_faults_of_credit(kind: str, credit: object) -> Iterator[str]:
    known = _CREDITS.get(kind, ())
    if credit is not None and not known:
        yield f"A question of the kind {kind!r} has no partial credit: take out the setting 'credit'."
    elif credit is not None and credit not in known:
        yield f"The credit {credit!r} is unknown for the kind {kind!r}; known are {', '.join(known)}."


# --- the key -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Key:
    options: tuple[Option, ...] = ()
    pairs: tuple[Pair, ...] = ()
    accepted: tuple[str, ...] = ()

    @property
    def texts(self) -> frozenset[str]:
        """What a picture in the release must not be called."""
        right = [option.text for option in self.options if option.right]
        return frozenset(fold(text).casefold() for text in (*self.accepted, *right))


def _read_key(kind: str, sheet: Sheet) -> _Key:
    match kind:
        case "one" | "any" | "order":
            return _Key(tuple(_option(sheet, item, kind) for item in _listed(kind, sheet)))
        case "match":
            rows = match_rows(sheet)
            options = lettered(sheet, before=rows[0]) if rows else ()
            return _Key(options, tuple(Pair(*table_row(sheet.lines[row])) for row in rows))
        case _:
            return _Key(accepted=tuple(without_code_span(rest) for _, _, rest in answer_lines(sheet)))


def _listed(kind: str, sheet: Sheet) -> tuple[Item, ...]:
    return {"one": sheet.task_items, "any": sheet.task_items, "order": sheet.numbered_items}.get(kind, ())


def _option(sheet: Sheet, item: Item, kind: str) -> Option:
    quotes = [quote.text for quote in sheet.quotes if quote.depth and quote.lines.start in item.lines]
    return Option(fold(item.text), kind == "order" or item.box is Box.TICKED, "\n\n".join(quotes))


def _read_quotes(kind: str, sheet: Sheet) -> tuple[str, tuple[str, ...]]:
    """Return the general explanation, and the first lines of quotes that explain nothing."""
    general: list[str] = []
    strays: list[str] = []
    end = len(sheet.lines)
    for quote in reversed(sheet.quotes):
        while end > 0 and sheet.is_blank(end - 1):
            end -= 1
        if quote.lines.stop == end and not quote.depth:
            general.insert(0, quote.text)
            end = quote.lines.start
        elif not quote.depth or not any(quote.lines.start in item.lines for item in _listed(kind, sheet)):
            strays.insert(0, quote.text.split("\n")[0])
    return "\n\n".join(general), tuple(strays)


def _find_faults_of_key(kind: str, sheet: Sheet, key: _Key) -> Iterator[str]:
    for text in _twice(option.text for option in key.options):
        yield f"The option {text!r} is there twice."
    if any(sheet.is_blank(after.lines.start - 1) for _, after in pairwise(_listed(kind, sheet))):
        yield "There is a blank line between the lines of the list: take it out, it breaks the list."
    match kind:
        case "one" | "any":
            yield from _find_faults_of_list(sheet.task_items)
            yield from _find_faults_of_ticks(kind, key.options)
        case "order":
            yield from _find_faults_of_lines(sheet)
        case "match":
            yield from _find_faults_of_table(key)
        case _:
            yield from _find_faults_of_answer_lines(sheet)
            for text in key.accepted:
                yield from _find_faults_of_answer(kind, text)


def _twice(texts: Iterable[str]) -> list[str]:
    return [text for text, count in Counter(texts).items() if count > 1]


def _find_faults_of_list(items: tuple[Item, ...]) -> Iterator[str]:
    if len({item.group for item in items}) > 1:
        yield "The options form several lists: only indented quotes may stand between them."
    elif any(item.depth for item in items):
        yield "The list of options is indented: write it at the start of the line."
    for item in items:
        if item.box not in (Box.EMPTY, Box.TICKED):
            text = fold(item.text) or "an empty line"
            yield f"In the list of options {text!r} does not begin with '- [ ] ' or '- [x] '."


def _find_faults_of_ticks(kind: str, options: tuple[Option, ...]) -> Iterator[str]:
    ticks = sum(option.right for option in options)
    if not options:
        yield "There are no options: write each as '- [ ] text', and the right ones as '- [x] text'."
    elif len(options) < 2:
        yield "There is only one option: a choice needs at least two."
    if options and not ticks:
        yield "No option is ticked: if none is right, add an option that says so and tick it."
    if kind == "one" and ticks > 1:
        yield f"{ticks} options are ticked, but 'one' has exactly one: change the kind to 'any'."


def _find_faults_of_lines(sheet: Sheet) -> Iterator[str]:
    items = sheet.numbered_items
    if len(items) < 2:
        yield "An ordering question needs a numbered list of at least two lines, in the right order."
    if len({item.group for item in sheet.items if item.number is not None and not item.depth}) > 1:
        yield "There are several numbered lists: an ordering question has exactly one."
    if any(item.mark != "." for item in items):
        yield "Number the lines with a full stop ('1. text'): a bracket is the sign of a released list."
    if items and not sheet.is_blank(items[0].lines.start - 1):
        yield "Leave a blank line above the numbered list."


def _find_faults_of_table(key: _Key) -> Iterator[str]:
    letters = [option.letter for option in key.options]
    if not key.pairs:
        yield "There is no table with two columns: write terms in the first, letters in the second."
    elif not letters:
        yield "There are no lettered lines above the table: write them as 'A. text', 'B. text'."
    for letter in _twice(letters):
        yield f"The letter {letter} names two options."
    for term in _twice(pair.term for pair in key.pairs):
        yield f"The term {term!r} is in the table twice."
    for pair in key.pairs:
        if not pair.letter:
            yield f"The row {pair.term!r} has no letter."
        elif pair.letter not in letters:
            yield f"The row {pair.term!r} has {pair.letter!r}, which is not the letter of an option."


def _find_faults_of_answer_lines(sheet: Sheet) -> Iterator[str]:
    found = {number: mark for number, mark, _ in answer_lines(sheet)}
    marks = [number for number, mark in found.items() if mark == ANSWER_MARK]
    if not marks:
        yield f"There is no key: write a line that begins with '{ANSWER_MARK}' below a blank line."
    if len(marks) > 1:
        yield f"There are {len(marks)} lines that begin with '{ANSWER_MARK}': write further forms as 'Or:'."
    continued = {text.first + place for text in sheet.texts for place in range(1, len(text.lines))}
    for number in found:
        if number + 1 in continued and number + 1 not in found:
            yield f"Leave a blank line between the answer and {sheet.lines[number + 1].strip()!r}."
    for text in _twice(rest for _, _, rest in answer_lines(sheet)):
        yield f"The answer {text!r} is there twice."


def _find_faults_of_answer(kind: str, text: str) -> Iterator[str]:
    if not text:
        yield "An answer is empty: write the key after the colon."
        return
    try:
        if kind == "number":
            read_quantity(text)
        elif kind == "command" and not read_command(text):
            yield f"The command {text!r} has no words."
    except UnreadableError as problem:
        yield f"The answer {text!r} cannot be read. {problem}"


# --- title and prompt ----------------------------------------------------------------------------------


def _title(released: str) -> str:
    """Return the first sentence of the first paragraph or heading as plain text."""
    for before, token in pairwise(parse_fully(released)):
        if token.type == "inline" and before.type in ("paragraph_open", "heading_open") and token.level == 1:
            text = fold("".join(_plain(child) for child in token.children or ()))
            end = _SENTENCE.search(text)
            text = text[: end.end()] if end else text
            if text and not text.startswith(ANSWER_MARK):
                return text if len(text) <= _TITLE_LENGTH else text[: _TITLE_LENGTH - 1].rstrip() + "…"
    return ""


def _plain(token: Token) -> str:
    match token.type:
        case "softbreak" | "hardbreak":
            return " "
        case "math_inline":
            return f"${token.content}$"
        case "html_inline":
            return ""
        case _:
            return token.content


def _prompt(kind: str, released: str) -> str:
    """Return what stands above the place of the answer."""
    sheet = read_sheet(released)
    match kind:
        case "one" | "any" | "order":
            end = _listed(kind, sheet)[0].lines.start
        case "match":
            end = match_rows(sheet)[0] - 2
        case _:
            end = next(answer_lines(sheet))[0]
    return sheet.rewrite(dict.fromkeys(range(end, len(sheet.lines)))).strip()
