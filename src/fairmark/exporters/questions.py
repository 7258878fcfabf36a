"""Quiz questions for other question banks: Moodle's GIFT and Moodle's XML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fairmark.exporters.junit import clean_xml
from fairmark.quiz.marking import UnreadableError, read_quantity
from fairmark.quiz.markup import without_code_span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairmark.quiz import Question

_GIFT = re.compile(r"([~=#{}:\\])")
_EVERYTHING = 100.0


def _escape(text: str) -> str:
    return _GIFT.sub(r"\\\1", text.strip()).replace("\n", "\\n")


def _shares(question: Question) -> list[float]:
    """Return what each option of a choice is worth, in percent."""
    right = sum(option.right for option in question.options)
    wrong = len(question.options) - right
    return [
        round(_EVERYTHING / right, 5) if option.right else -round(_EVERYTHING / wrong, 5)
        for option in question.options
    ]


def _pairs(question: Question) -> list[tuple[str, str]]:
    """Return what belongs together in a question that is matched or put in order."""
    if question.kind == "order":
        return [(option.text, str(place)) for place, option in enumerate(question.options, 1)]
    texts = {option.letter: option.text for option in question.options}
    return [(pair.term, texts[pair.letter]) for pair in question.pairs]


def _numbers(question: Question) -> list[tuple[float, float]]:
    found = []
    for text in question.accepted:
        try:
            quantity = read_quantity(text)
        except UnreadableError:
            continue
        found.append((quantity.value, quantity.tolerance))
    return found


def write_gift(questions: Iterable[Question]) -> str:
    """Return questions in GIFT, texts in Markdown; a line to be put in order becomes a line to be matched."""
    parts = []
    for question in questions:
        explanation = f"####{_escape(question.explanation)}" if question.explanation else ""
        body = "\n".join(f"  {line}" for line in _gift_answers(question))
        head = f"::{_escape(question.id)}::[markdown]{_escape(question.prompt)}"
        parts.append(f"{head} {{{'#' if question.kind == 'number' else ''}\n{body}\n{explanation}}}\n")
    return "\n".join(parts)


def _gift_answers(question: Question) -> list[str]:
    if question.kind in ("one", "any"):
        lines = []
        for option, share in zip(question.options, _shares(question), strict=True):
            sign = ("=" if option.right else "~") if question.kind == "one" else f"~%{share:g}%"
            note = f"#{_escape(option.explanation)}" if option.explanation else ""
            lines.append(f"{sign}{_escape(option.text)}{note}")
        return lines
    if question.kind == "number":
        return [f"={value:g}:{tolerance:g}" for value, tolerance in _numbers(question)]
    if question.kind in ("match", "order"):
        return [f"={_escape(left)} -> {_escape(right)}" for left, right in _pairs(question)]
    return [f"={_escape(without_code_span(text))}" for text in question.accepted]


_TYPES = {
    "one": "multichoice", "any": "multichoice", "number": "numerical", "text": "shortanswer",
    "command": "shortanswer", "match": "matching", "order": "matching",
}  # fmt: skip


def write_moodle_xml(questions: Iterable[Question], category: str = "") -> str:
    """Return questions in Moodle's XML, texts in Markdown; `category` is where Moodle puts them."""
    root = ET.Element("quiz")
    if category:
        place = ET.SubElement(root, "question", type="category")
        _text(ET.SubElement(place, "category"), f"$course$/{category}")
    for question in questions:
        _add_question(root, question)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _text(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, "text").text = clean_xml(text)


def _add_question(root: ET.Element, question: Question) -> None:
    node = ET.SubElement(root, "question", type=_TYPES[question.kind])
    _text(ET.SubElement(node, "name"), question.id)
    _text(ET.SubElement(node, "questiontext", format="markdown"), question.prompt)
    _text(ET.SubElement(node, "generalfeedback", format="markdown"), question.explanation)
    ET.SubElement(node, "defaultgrade").text = f"{question.points:g}"
    if question.kind in ("one", "any"):
        ET.SubElement(node, "single").text = "true" if question.kind == "one" else "false"
        ET.SubElement(node, "shuffleanswers").text = "true" if question.shuffle else "false"
        ET.SubElement(node, "answernumbering").text = "none"
        for option, share in zip(question.options, _shares(question), strict=True):
            whole = _EVERYTHING if option.right else 0.0
            worth = whole if question.kind == "one" else share
            _add_answer(node, option.text, worth, option.explanation, form="markdown")
    elif question.kind in ("match", "order"):
        ET.SubElement(node, "shuffleanswers").text = "true"
        for left, right in _pairs(question):
            pair = ET.SubElement(node, "subquestion", format="markdown")
            _text(pair, left)
            _text(ET.SubElement(pair, "answer"), right)
    elif question.kind == "number":
        for value, tolerance in _numbers(question):
            answer = _add_answer(node, f"{value:g}", _EVERYTHING, "", form="moodle_auto_format")
            ET.SubElement(answer, "tolerance").text = f"{tolerance:g}"
    else:
        ET.SubElement(node, "usecase").text = "0" if question.fold else "1"
        for text in question.accepted:
            _add_answer(node, without_code_span(text), _EVERYTHING, "", form="moodle_auto_format")


def _add_answer(node: ET.Element, text: str, worth: float, explanation: str, *, form: str) -> ET.Element:
    answer = ET.SubElement(node, "answer", fraction=f"{worth:g}", format=form)
    _text(answer, text)
    _text(ET.SubElement(answer, "feedback", format="markdown"), explanation)
    return answer
