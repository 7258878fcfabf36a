"""Compare an answer with its key, and say in plain words what came of it."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairmark.quiz.answering import released_order
from fairmark.quiz.markup import code_span, fold
from fairmark.quiz.records import Mark, Outcome, Row
from fairmark.results import QuizAnswer

if TYPE_CHECKING:
    from fairmark.quiz.records import Answer, MarkStatus, Question

_MINUS_SIGNS = str.maketrans(dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}", "-"))
_NUMBER = re.compile(r"[+-]?(\d*)(?:([.,])(\d*))?(?:[eE][+-]?\d+)?", re.ASCII)
_ROUNDING = 1e-9  # relative
_MAX_GIVEN = 2_000  # characters of an answer that a result keeps
_FEW = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class UnreadableError(ValueError):
    """A written number or command cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its tolerance (absolute) and unit."""

    value: float
    tolerance: float = 0.0
    unit: str = ""

    def admits(self, value: float) -> bool:
        """Tell whether `value` lies within the tolerance; rounding of floats does no harm."""
        allowed = self.tolerance + _ROUNDING * max(abs(self.value), self.tolerance)
        return abs(value - self.value) <= allowed


def read_quantity(text: str) -> Quantity:
    """Read ``28.3``, ``28.3 px``, ``28.3 ± 0.1 px`` or ``28.3 ± 0.5 % px``; ``+-`` stands for ``±``.

    Raises
    ------
    UnreadableError
        Where the text is no such number.
    """
    text = fold(text).translate(_MINUS_SIGNS).replace("+/-", "±").replace("+-", "±")
    number, given, rest = text.partition("±")
    value, unit = _read_number(number.strip())
    tolerance = 0.0
    if given:
        tolerance, after = _read_number(rest.strip())
        if tolerance < 0:
            raise UnreadableError("A tolerance is not negative.")
        if after.startswith("%"):
            tolerance, after = abs(value) * tolerance / 100, after[1:].strip()
        if unit and after not in ("", unit):
            raise UnreadableError("The number and its tolerance have different units.")
        unit = after or unit
    return Quantity(value, tolerance, unit.replace("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"))


def _read_number(text: str) -> tuple[float, str]:
    """Return the number that `text` begins with, and what follows it."""
    found = _NUMBER.match(text)
    if found is None or not (found[1] or found[3]):
        raise UnreadableError("This could not be read as a number: write it like 28.3 or 1e-3, digits first.")
    whole, sign, decimals = found.groups(default="")
    rest = text[found.end() :]
    if rest[:1] in (".", ",") or (
        sign == "," and (not decimals or (len(decimals) == 3 and whole.strip("0")))
    ):
        raise UnreadableError("The decimal sign is a point, and digits are not grouped: write 1234.5.")
    value = float(found[0].replace(",", "."))
    if not math.isfinite(value):
        raise UnreadableError("The number is too large.")
    return value, rest.strip()


def read_command(text: str) -> tuple[str, ...]:
    """Return the words of a command as a shell parts them; a prompt ``$`` in front is left out.

    Raises
    ------
    UnreadableError
        Where a quotation mark is not closed or a backslash ends the command.
    """
    try:
        return tuple(shlex.split(text.strip().removeprefix("$ ")))
    except ValueError as error:
        raise UnreadableError("A quotation mark is not closed, or a backslash ends the command.") from error


def mark(question: Question, answer: Answer) -> Mark:
    """Return what `answer` is worth, and why.

    An answer that was not given is worth nothing, whatever the key says.
    """
    match question.kind:
        case "one" | "any":
            return _mark_choice(question, answer)
        case "match":
            return _mark_match(question, answer)
        case "order":
            return _mark_order(question, answer)
        case _:
            return _mark_written(question, answer)


def _marked(  # noqa: PLR0913 (a mark has that many parts)
    question: Question,
    answer: Answer,
    share: float,
    message: str,
    *,
    answered: bool,
    outcomes: tuple[Outcome, ...] = (),
    rows: tuple[Row, ...] = (),
) -> Mark:
    status: MarkStatus = "passed" if share >= 1 else "partial" if share > 0 else "failed"
    return Mark(
        score=question.points * share,
        max_score=question.points,
        status=status,
        answered=answered,
        message=message,
        outcomes=outcomes,
        rows=rows,
        explanation=question.explanation,
        notes=answer.notes,
    )


def _in_words(number: int) -> str:
    return _FEW[number] if number < len(_FEW) else str(number)


def _mark_choice(question: Question, answer: Answer) -> Mark:
    chosen = set(answer.given)
    outcomes = tuple(
        Outcome(option.text, option.text in chosen, option.right, option.explanation)
        for option in question.options
    )
    ticks = sum(outcome.chosen for outcome in outcomes)
    hits = sum(outcome.chosen and outcome.right for outcome in outcomes)
    agreeing = sum(outcome.chosen == outcome.right for outcome in outcomes)
    right = sum(outcome.right for outcome in outcomes)
    share = float(agreeing == len(outcomes))
    if not ticks:
        share, message = 0.0, "You ticked no option."
    elif question.kind == "one" and ticks > 1:
        share = 0.0
        message = f"You ticked {_in_words(ticks)} options, but exactly one counts: choose one."
    elif share:
        message = "Right."
    elif question.kind == "one":
        message = "The option that you ticked is not the right one."
    else:
        if question.credit == "net":
            share = max(0.0, (hits - (ticks - hits)) / max(right, 1))
        elif question.credit == "each":
            share = agreeing / len(outcomes)
        message = f"You ticked {hits} of the {right} right options and {ticks - hits} of the wrong ones."
    return _marked(question, answer, share, message, answered=ticks > 0, outcomes=outcomes)


def _mark_match(question: Question, answer: Answer) -> Mark:
    texts = {option.letter: f"{option.letter}. {option.text}" for option in question.options}
    rows = tuple(
        Row(pair.term, texts.get(letter, ""), texts.get(pair.letter, pair.letter), letter == pair.letter)
        for pair, letter in zip(question.pairs, answer.given, strict=True)
    )
    hits = sum(row.right for row in rows)
    answered = any(answer.given)
    share = hits / len(rows)
    if question.credit == "off":
        share = float(share == 1)
    if not answered:
        message = "You wrote no letter into the table."
    elif hits == len(rows):
        message = "Right."
    else:
        message = f"{hits} of {len(rows)} rows are right."
    return _marked(question, answer, share, message, answered=answered, rows=rows)


def _mark_order(question: Question, answer: Answer) -> Mark:
    key = tuple(option.text for option in question.options)
    rows = tuple(
        Row(str(place), given, text, given == text)
        for place, (given, text) in enumerate(zip(answer.given, key, strict=True), 1)
    )
    answered = answer.given != released_order(question)
    right = answered and answer.given == key
    if not answered:
        message = "You left the lines in the order in which they were."
    else:
        message = "Right." if right else "The lines are not in the right order."
    return _marked(question, answer, float(right), message, answered=answered, rows=rows)


def _mark_written(question: Question, answer: Answer) -> Mark:
    accepted = " or ".join(question.accepted)
    if not answer.given:
        row = Row("", "", accepted, right=False)
        return _marked(question, answer, 0.0, "You wrote no answer.", answered=False, rows=(row,))
    if len(answer.given) > 1:
        problem = f"You gave {_in_words(len(answer.given))} answers, but exactly one counts: keep one."
    else:
        problem = _find_problem(question, answer.given[0])
    rows = tuple(Row("", given, accepted, right=not problem) for given in answer.given)
    return _marked(question, answer, float(not problem), problem or "Right.", answered=True, rows=rows)


def _find_problem(question: Question, given: str) -> str:
    """Return what is wrong with a written answer, "" where nothing is."""
    try:
        match question.kind:
            case "number":
                return _find_problem_of_number(question, read_quantity(given))
            case "command":
                words = read_command(given)
                right = any(words == read_command(accepted) for accepted in question.accepted)
                return "" if right else "This is not the command that was asked for."
            case _:
                texts = {_spelt(accepted, folded=question.fold) for accepted in question.accepted}
                return (
                    ""
                    if _spelt(given, folded=question.fold) in texts
                    else "This is not the text that was asked for."
                )
    except UnreadableError as problem:
        return str(problem)


def _spelt(text: str, *, folded: bool) -> str:
    return fold(text).casefold() if folded else text.strip()


def _find_problem_of_number(question: Question, given: Quantity) -> str:
    keys = [read_quantity(accepted) for accepted in question.accepted]
    near = [key for key in keys if key.admits(given.value)]
    if any(_same_unit(key.unit, given.unit) for key in near):
        return ""
    if all(key.unit for key in keys) and not given.unit:
        return "The unit is missing: write it after the number."
    if near:
        return "The unit is not the one that was asked for." if near[0].unit else "Write the number alone."
    return "The number is not right."


def _same_unit(key: str, given: str) -> bool:
    """Tell whether the units agree; a word after a number whose unit was not asked for does no harm."""
    return given == key or (not key and len(given) > 1 and given.isalpha())


# --- feedback ------------------------------------------------------------------------------------------


def describe(question: Question, mark: Mark) -> QuizAnswer:
    """Return what was asked, answered and right, and why, as plain data for a feedback page."""
    explanations = {option.text: option.explanation for option in question.options}
    rows = tuple(
        replace(row, given=row.given[:_MAX_GIVEN], explanation=explanations.get(_bare(row.accepted), ""))
        for row in mark.rows
    )
    return QuizAnswer(
        question.kind, question.prompt, mark.answered, mark.outcomes, rows, question.explanation
    )


def _bare(accepted: str) -> str:
    """Return an option's text without the letter in front."""
    return re.sub(r"^[A-Z]\. ", "", accepted)


def explain(question: Question, mark: Mark) -> str:
    """Return Markdown for the feedback page: what was chosen, what is right, and why.

    A student's own text stands in it as code only, so that no markup, HTML or formula in it can work.
    """
    parts = [f"**{mark.score:g} of {mark.max_score:g} points.** {mark.message}"]
    if mark.outcomes:
        parts.append("\n".join(_explain_option(outcome) for outcome in mark.outcomes))
    elif question.kind in ("match", "order"):
        explanations = {option.text: option.explanation for option in question.options if option.explanation}
        parts.append("\n".join(_explain_row(row, explanations.get(row.accepted, "")) for row in mark.rows))
    else:
        lines = [f"- You wrote: {_as_code(row.given)}" for row in mark.rows if row.given]
        accepted = " or ".join(_as_code(text) for text in question.accepted)
        parts.append("\n".join([*lines, f"- Accepted: {accepted}"]))
    if mark.notes:
        parts.append("\n".join(f"- {note}" for note in mark.notes))
    if mark.explanation:
        parts.append(mark.explanation)
    return "\n\n".join(parts) + "\n"


def _explain_option(outcome: Outcome) -> str:
    sign, words = {
        (True, True): ("✓", "right, you chose it"),
        (True, False): ("✗", "you chose it, but it is not right"),
        (False, True): ("○", "right, you did not choose it"),
        (False, False): ("–", "not right, you did not choose it"),  # noqa: RUF001 (a dash is meant)
    }[outcome.chosen, outcome.right]
    return f"- {sign} {outcome.text} *({words})*" + _indented(outcome.explanation)


def _explain_row(row: Row, explanation: str) -> str:
    given = row.given or "nothing"
    told = row.accepted if row.right else f"{row.accepted} *(you: {given})*"
    return f"- {'✓' if row.right else '✗'} {row.label}: {told}" + _indented(explanation)


def _indented(explanation: str) -> str:
    return "".join(f"\n  > {line}".rstrip() for line in explanation.split("\n")) if explanation else ""


def _as_code(text: str) -> str:
    """Return `text` as code in one line, without characters that steer a terminal or turn the reading."""
    visible = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in fold(text))
    return code_span(visible)
