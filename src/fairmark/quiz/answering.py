"""The student's places in a question: empty them, read them, and set an answer in.

Everything here is told by text, never by position, so any order of options or rows is as good as another.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from fairmark.quiz.markup import (
    Box,
    Sheet,
    cells_of,
    code_span,
    fold,
    read_box,
    read_sheet,
    without_code_span,
)
from fairmark.quiz.records import Answer, Option

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from fairmark.quiz.records import Question

READ_LIMIT = 200_000  # characters of a student's cell
LINE_LIMIT = 5_000  # lines of it: the time to read grows with them
WRITTEN_LIMIT = 1_000  # characters of a written answer
ANSWER_MARK = "Answer:"
OR_MARK = "Or:"
_STUDENT_MARK = re.compile(r"\s*\**answer\**\s*:\**", re.IGNORECASE)
_PLAIN = re.compile(r"[\w .,+\-−±%/:=^'\"°@]*")  # noqa: RUF001 (a minus sign is meant)
_LETTERED = re.compile(r"([A-Z])[.)]\s+(?=\S)")
_SWALLOWED = re.compile(r"\s*[-*+]\s+\[")
_NUMBERED = re.compile(r"\s*\d{1,9}[.)]")
_FENCE = ("```", "~~~")


# --- the release ---------------------------------------------------------------------------------------


def blank(source: str, *, id: str = "", settings: object = None) -> str:  # noqa: A002
    """Return the text that students get: ticks, answers, letters and explanations are gone.

    All other text stays as it is, byte for byte; blanking twice changes nothing more.

    Parameters
    ----------
    source : str
        The author's cell.
    id : str
        The cell's ``grade_id``, which decides the order of an ordering question's lines.
    settings : object
        The cell's ``metadata.fairmark``.
    """
    kind = settings.get("kind") if isinstance(settings, dict) else None
    while (emptied := _blank_once(read_sheet(source), kind, id)) != source:
        source = emptied
    return source


def shows_key(source: str, *, id: str = "", settings: object = None) -> bool:  # noqa: A002
    """Tell whether a released cell still holds a part of the key or an explanation."""
    return blank(source, id=id, settings=settings) != source


def _blank_once(sheet: Sheet, kind: object, seed: str) -> str:
    edits: dict[int, str | None] = {}
    if kind in ("number", "text", "command"):
        edits = _emptied_answers(sheet)
    elif kind == "match":
        edits = {row: _with_cells(sheet.lines[row], "") for row in match_rows(sheet)}
    elif kind == "order":
        if not sheet.quotes and any(item.mark == "." for item in sheet.numbered_items):
            edits = _reordered(sheet, _shuffled(sheet, seed))
    else:
        for item in sheet.task_items:
            if item.box in (Box.TICKED, Box.UNCLEAR):
                before, _, rest = sheet.lines[item.text_line].partition("[")
                edits[item.text_line] = f"{before}[ ]{rest.partition(']')[2]}"
    for quote in sheet.quotes:
        edits |= dict.fromkeys(quote.lines)
        above = quote.lines.start - 1
        while quote.depth and above >= 0 and sheet.is_blank(above):
            edits[above] = None
            above -= 1
    return sheet.rewrite(edits)


def answer_lines(sheet: Sheet) -> Iterator[tuple[int, str, str]]:
    """Yield number, mark and rest of each ``Answer:`` line, and of the ``Or:`` lines after the first one."""
    begun = False
    for text in sheet.texts:
        if text.depth:
            continue
        for number, line in enumerate(text.lines, text.first):
            bare = line.strip()
            if bare.startswith(ANSWER_MARK):
                begun = True
                yield number, ANSWER_MARK, bare.removeprefix(ANSWER_MARK).strip()
            elif begun and bare.startswith(OR_MARK):
                yield number, OR_MARK, bare.removeprefix(OR_MARK).strip()


def _emptied_answers(sheet: Sheet) -> dict[int, str | None]:
    return {
        number: _answer_line(sheet.lines[number], "") if mark == ANSWER_MARK else None
        for number, mark, _ in answer_lines(sheet)
    }


def _answer_line(line: str, answer: str) -> str:
    return line[: line.index(ANSWER_MARK) + len(ANSWER_MARK)] + " " + answer


def match_rows(sheet: Sheet) -> tuple[int, ...]:
    """Return the lines of the table to fill in: the body of the last table with two columns."""
    tables = [table for table in sheet.tables if table.columns == 2 and not table.depth]
    return tables[-1].body if tables else ()


def _with_cells(line: str, second: str) -> str:
    """Return a table's `line` with `second` in its second cell and all later cells empty."""
    for place, cell in reversed(list(enumerate(cells_of(line)))):
        if place > 1 or (place == 1 and not second):
            line = line[: cell.start] + " " * len(cell) + line[cell.stop :]
        elif place == 1:
            line = line[: cell.start] + f" {second} ".ljust(len(cell)) + line[cell.stop :]
    return line


def _shuffled(sheet: Sheet, seed: str) -> tuple[int, ...]:
    """Return another order of the numbered lines, which depends only on `seed` and the lines."""
    texts = [fold(item.text) for item in sheet.numbered_items]
    order = sorted(
        range(len(texts)),
        key=lambda place: hashlib.sha256(f"{seed}\n{texts[place]}".encode(errors="replace")).digest(),
    )
    right = [texts[place] for place in order] == texts
    return tuple(order[1:] + order[:1] if right else order)


def _reordered(sheet: Sheet, order: Iterable[int]) -> dict[int, str | None]:
    """Return the edits that put the numbered lines into `order` and number them as released lines."""
    items = sheet.numbered_items
    starts = [item.lines.start for item in items] + [items[-1].lines.stop]
    blocks = [list(sheet.lines[start:stop]) for start, stop in pairwise(starts)]
    moved: list[str] = []
    for number, place in enumerate(order, 1):
        first, *rest = blocks[place]
        mark = _NUMBERED.match(first)
        if mark is None:  # the item begins within another block's line
            return {}
        indent = first[: len(mark[0]) - len(mark[0].lstrip())]
        moved += [(indent + f"{number})").ljust(len(mark[0])) + first[mark.end() :], *rest]
    return dict(enumerate(moved, starts[0]))


# --- reading -------------------------------------------------------------------------------------------


def read_answer(question: Question, student_text: str) -> Answer:
    """Read what a student answered; any text at all is valid.

    Parameters
    ----------
    question : Question
        The instructor's question.
    student_text : str
        The student's cell; only its first 200 000 characters and 5 000 lines are read.
    """
    text = _beginning(student_text).replace("\0", "\N{REPLACEMENT CHARACTER}")
    sheet = read_sheet(text, lenient=True)
    match question.kind:
        case "one" | "any":
            answer = _read_ticks(question, sheet)
        case "match":
            answer = _read_letters(question, sheet)
        case "order":
            answer = _read_order(question, sheet)
        case _:
            answer = _read_written(question, sheet)
    notes = list(answer.notes)
    if len(text) < len(student_text):
        notes.append("Your cell is very long: only its beginning was read.")
    if " ".join(question.prompt.split()) not in " ".join(text.split()):
        notes.append(
            "The text of the question was changed in your copy; it was graded with the original text."
        )
    return Answer(answer.given, tuple(notes))


def _beginning(text: str) -> str:
    text = text[:READ_LIMIT]
    further = islice(re.finditer(r"\r\n?|\n", text), LINE_LIMIT - 1, None)
    end = next(further, None)
    return text[: end.start()] if end else text


def _recognise(text: str, known: Container[str], longest: int) -> str:
    """Return the known text that `text` is, or that its first lines are; "" where there is none."""
    if (whole := fold(text)) in known:
        return whole
    start, best = "", ""
    for line in text.split("\n"):
        start = fold(f"{start} {line}")
        if len(start) > longest:
            break
        if start in known:
            best = start
    return best


def _read_ticks(question: Question, sheet: Sheet) -> Answer:
    known = {option.text for option in question.options}
    longest = max(map(len, known), default=0)
    boxes: dict[str, set[Box]] = {}
    strangers = 0
    for box, content in _boxes(sheet):
        text = _recognise(content, known, longest)
        strangers += not text
        boxes.setdefault(text, set()).add(box)
    notes = []
    if strangers:
        notes.append(f"{_count(strangers, 'line')} with a box that the question does not have: not counted.")
    missing = [option.text for option in question.options if option.text not in boxes]
    if missing:
        notes.append(f"{_count(len(missing), 'option')} of the question not found in your copy: not ticked.")
    if any(Box.UNCLEAR in boxes[text] for text in known & boxes.keys()):
        notes.append("A box counts as ticked only when it is written [x], with nothing else in the brackets.")
    ticked = (option.text for option in question.options if Box.TICKED in boxes.get(option.text, ()))
    return Answer(tuple(ticked), tuple(notes))


def _boxes(sheet: Sheet) -> Iterator[tuple[Box, str]]:
    """Yield each box with the text after it, also of items that a paragraph swallowed (far indented)."""
    for item in sheet.items:
        if item.box is not None:
            yield item.box, item.text
    for text in sheet.texts:
        starts = [place for place, line in enumerate(text.lines) if _SWALLOWED.match(line)]
        for start, stop in pairwise([*starts, len(text.lines)]):
            box, content = read_box("\n".join(text.lines[start:stop]).lstrip()[1:].lstrip())
            if box is not None:
                yield box, content


def _read_written(question: Question, sheet: Sheet) -> Answer:
    own = {fold(line) for line in re.split(r"[\r\n]+", question.released)} | {""}
    given: dict[str, None] = {}
    marked = False
    for text in sheet.texts:
        for number, line in enumerate(text.lines, text.first):
            if found := _STUDENT_MARK.match(line):
                marked = True
                rest = line[found.end() :].strip() or _written_below(sheet, number + 1, own)
                given[without_code_span(rest)] = None
    notes = []
    if not marked:
        lines = [
            line for line in sheet.lines if fold(line) not in own and not line.lstrip().startswith(_FENCE)
        ]
        given = dict.fromkeys(without_code_span(line) for line in lines) if len(lines) == 1 else {}
        notes.append(f"The line that begins with {ANSWER_MARK} is missing in your copy.")
    given.pop("", None)
    if any(len(text) > WRITTEN_LIMIT for text in given):
        notes.append(f"Your answer is very long: only its first {WRITTEN_LIMIT} characters were read.")
    return Answer(tuple(dict.fromkeys(text[:WRITTEN_LIMIT].strip() for text in given)), tuple(notes))


def _written_below(sheet: Sheet, line: int, own: Container[str]) -> str:
    """Return what stands under an empty ``Answer:`` line, up to a blank line or the instructor's text."""
    while line < len(sheet.lines) and (sheet.is_blank(line) or sheet.lines[line].lstrip().startswith(_FENCE)):
        line += 1
    written: list[str] = []
    while line < len(sheet.lines) and fold(sheet.lines[line]) not in own:
        if sheet.lines[line].lstrip().startswith(_FENCE) or _STUDENT_MARK.match(sheet.lines[line]):
            break
        written.append(sheet.lines[line].strip())
        line += 1
    return " ".join(written)


def lettered(sheet: Sheet, before: int) -> tuple[Option, ...]:
    """Return the lines ``A. …``, ``B. …`` that stand in the text above line `before`, with their letters."""
    options: list[Option] = []
    for text in sheet.texts:
        current: list[str] = []
        letter = ""
        for line in text.lines if text.first < before else ():
            if found := _LETTERED.match(line.strip()):
                if letter:
                    options.append(Option(fold(" ".join(current)), letter=letter))
                letter, current = found[1], [line.strip()[found.end() :]]
            else:
                current.append(line)
        if letter:
            options.append(Option(fold(" ".join(current)), letter=letter))
    return tuple(options)


def table_row(line: str) -> tuple[str, str]:
    """Return the folded texts of the first two cells of a table's `line`."""
    cells = [fold(line[cell.start : cell.stop]) for cell in cells_of(line)[:2]]
    return cells[0], cells[1] if len(cells) > 1 else ""


def _read_letters(question: Question, sheet: Sheet) -> Answer:
    meaning = _meaning_of_letters(question, sheet)
    terms = {pair.term for pair in question.pairs}
    written: dict[str, set[str]] = {}
    for line in _lines_with_bars(sheet):
        term, letter = table_row(line)
        letter = without_code_span(letter.strip("*_ ")).strip(".() ").upper()
        if term in terms and letter:
            written.setdefault(term, set()).add(meaning.get(letter, ""))
    notes = []
    if any("" in letters for letters in written.values()):
        notes.append(
            f"In the table only the letters {', '.join(sorted(meaning))} count; others were left out."
        )
    if any(len(letters) > 1 for letters in written.values()):
        notes.append("A row of the table is there more than once with different letters: it was left out.")
    given = (written.get(pair.term, {""}) for pair in question.pairs)
    return Answer(tuple(next(iter(letters)) if len(letters) == 1 else "" for letters in given), tuple(notes))


def _lines_with_bars(sheet: Sheet) -> Iterator[str]:
    """Yield the rows of all tables, and lines of text that look like rows of a broken one."""
    for table in sheet.tables:
        yield from (sheet.lines[line] for line in table.body)
    for text in sheet.texts:
        yield from (line for line in text.lines if "|" in line)


def _meaning_of_letters(question: Question, sheet: Sheet) -> Mapping[str, str]:
    """Return the instructor's letter for each letter, as the list in the student's copy has them."""
    ours = {option.text: option.letter for option in question.options}
    meaning = {letter: letter for letter in ours.values()}
    copy: dict[str, set[str]] = {}
    for option in lettered(sheet, before=len(sheet.lines)):
        if option.text in ours:
            copy.setdefault(option.letter, set()).add(ours[option.text])
    return meaning | {letter: next(iter(texts)) for letter, texts in copy.items() if len(texts) == 1}


def _read_order(question: Question, sheet: Sheet) -> Answer:
    released = released_order(question)
    longest = max(map(len, released), default=0)
    numbers: dict[str, int | None] = {}
    doubled = False
    for item in sheet.items:
        text = _recognise(item.text, released, longest)
        doubled |= text in numbers
        if text:
            numbers.setdefault(text, item.number)
    notes = []
    if doubled:
        notes.append("A line is there more than once: its first place counts.")
    if missing := len(released) - len(numbers):
        notes.append(
            f"{_count(missing, 'line')} of the question not found in your copy, but an order needs all."
        )
        return Answer(released, tuple(notes))
    lines = list(numbers)
    renumbered = any(number != released.index(text) + 1 for text, number in numbers.items())
    if renumbered and set(numbers.values()) == set(range(1, len(lines) + 1)):
        lines.sort(key=lambda text: numbers[text] or 0)
    return Answer(tuple(lines), tuple(notes))


def released_order(question: Question) -> tuple[str, ...]:
    """Return the lines of an ordering question as students get them."""
    return tuple(fold(item.text) for item in read_sheet(question.released).numbered_items)


def _count(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"


# --- setting in ----------------------------------------------------------------------------------------


def assemble(question: Question, student_text: str) -> str:
    """Return the released text with the student's answer set in; any text at all is valid.

    Of the student's text only ticks, letters, the order of lines and written answers are taken over;
    a written answer that could be markup stands there as code.
    """
    given = read_answer(question, student_text).given
    sheet = read_sheet(question.released)
    match question.kind:
        case "one" | "any":
            edits = _ticked(sheet, given)
        case "match":
            letters = dict(zip((pair.term for pair in question.pairs), given, strict=True))
            edits = {
                line: _with_cells(sheet.lines[line], letters.get(table_row(sheet.lines[line])[0], ""))
                for line in match_rows(sheet)
            }
        case "order":
            places = {text: place for place, text in enumerate(released_order(question))}
            edits = _reordered(sheet, [places[text] for text in given])
        case _:
            edits = _written_in(sheet, given)
    return sheet.rewrite(edits)


def _ticked(sheet: Sheet, given: Container[str]) -> dict[int, str | None]:
    edits: dict[int, str | None] = {}
    for item in sheet.task_items:
        if item.box is Box.EMPTY and fold(item.text) in given:
            edits[item.text_line] = sheet.lines[item.text_line].replace("[ ]", "[x]", 1)
    return edits


def _written_in(sheet: Sheet, given: tuple[str, ...]) -> dict[int, str | None]:
    shown = [text if _PLAIN.fullmatch(text) else code_span(text) for text in given]
    for number, _, _ in answer_lines(sheet):
        end = next((end for end in sheet.ends if end), "\n")
        line = sheet.lines[number]
        return {number: end.join(_answer_line(line, text) for text in shown or [""])}
    return {}
