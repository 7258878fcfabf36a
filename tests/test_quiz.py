"""Quiz questions: what students get, what their answers are worth, and that no text does harm."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fairmark.errors import AuthorError
from fairmark.quiz import (
    Answer,
    assemble,
    blank,
    explain,
    find_faults,
    is_question,
    mark,
    read_answer,
    read_question,
    shows_key,
)
from fairmark.quiz.markup import code_span, without_code_span

CASES = Path(__file__).parent / "quiz"
SOURCES = {
    "one": (
        "**Which *one*?** Choose.\n\n- [ ] a $x$\n- [x] b `code`\n  > Why.\n"
        "- [ ] c ![picture](c.png)\n\n> General."
    ),
    "any": "Which?\n\n- [x] a\n- [x] b\n- [ ] c\n- [ ] none of these",
    "number": "How much?\n\nAnswer: 28.3 ± 0.1 px\n\nMind the unit.",
    "text": "Which mode?\n\nAnswer: reflect\nOr: mirror\n\n> See the lecture.",
    "command": "Push.\n\nAnswer: `git push origin main`\nOr: git push",
    "match": (
        "Match.\n\nA. alpha\nB. beta\nC. gamma\n\n"
        "| term | letter |\n|---|---|\n| a | A |\n| b | B |\n| c | A |"
    ),
    "order": "Sort.\n\n1. init\n2. add\n   all\n3. commit\n4. push\n\nEnd.",
}
QUESTIONS = {
    kind: read_question(source, id=f"q-{kind}", points=6, settings={"kind": kind})
    for kind, source in SOURCES.items()
}
GRADED = {"grade": True, "solution": True, "task": False, "grade_id": "q", "points": 1}


def read_cases(name):
    """Read the cases of a fixture file: title, settings, and the parts between dots."""
    lines = (CASES / f"{name}.md").read_text(encoding="utf-8").split("\n")
    parts, width = 2 if name in ("release", "faults") else 3, 0
    title, part, inside = "", [], []
    for line in lines:
        if line == ".":
            if width:
                inside.append("\n".join(part))
            part, width = [], width + 1
            if width == parts + 1:
                name_of, _, after = title.partition("{") if "{" in title else title.partition("[")
                chosen = json.loads(title[len(name_of) :]) if after else None
                yield pytest.param(chosen, *inside, id=name_of.strip())
                width, inside = 0, []
        elif width:
            part.append(line.replace("⎵", " "))
        elif line:
            title = line


@pytest.mark.parametrize(("chosen", "source", "released"), list(read_cases("release")))
def test_release(chosen, source, released):
    """The release holds the author's text without ticks, answers and explanations."""
    assert blank(source, id="q", settings=chosen) == released
    assert shows_key(source, id="q", settings=chosen)
    assert not shows_key(released, id="q", settings=chosen)


@pytest.mark.parametrize(("chosen", "source", "faults"), list(read_cases("faults")))
def test_faults(chosen, source, faults):
    """All of an author's faults are told at once."""
    found = find_faults(source, id="q", points=1, settings=chosen)
    assert "\n".join(found) == faults
    if faults:
        with pytest.raises(AuthorError) as raised:
            read_question(source, id="q", points=1, settings=chosen)
        assert [(fault.cell, fault.message) for fault in raised.value.faults] == [
            ("q", text) for text in found
        ]


@pytest.mark.parametrize(("chosen", "source", "student", "expected"), list(read_cases("marks")))
def test_marks(chosen, source, student, expected):
    """An answer gets its points and is told about in plain words, also when it was set in."""
    question = read_question(source, id="q", points=6, settings=chosen)
    for text in (student, student.replace("\n", "\r\n"), student.replace("\n", "\r")):
        marked = mark(question, read_answer(question, text))
        told = f"{marked.score:g} {marked.status}" + ("" if marked.answered else " unanswered")
        notes = [f"note: {note}" for note in marked.notes]
        assert "\n".join([told, marked.message, *notes]) == expected
        assert mark(question, read_answer(question, assemble(question, text))).score == marked.score


@pytest.mark.parametrize(("chosen", "source", "student", "assembled"), list(read_cases("assembled")))
def test_assembled(chosen, source, student, assembled):
    """The assembled cell is the instructor's text with the student's answer."""
    question = read_question(source, id="q", points=6, settings=chosen)
    assert assemble(question, student) == assembled
    assert assemble(question, assembled) == assembled


@pytest.mark.parametrize("points", [None, 0, -1, float("nan"), float("inf"), True, "2"])
def test_points_that_are_no_points_are_a_fault(points):
    """Points are a number above 0."""
    (fault,) = find_faults(SOURCES["one"], id="q", points=points)
    assert "points" in fault


def test_a_question_is_a_graded_markdown_cell_with_a_kind_or_a_task_list():
    """All other cells belong to nbgrader alone."""
    tasks = "- [ ] a\n- [x] b"
    assert is_question("markdown", tasks, {"nbgrader": GRADED})
    assert is_question("markdown", "Answer: 1", {"nbgrader": GRADED, "fairmark": {"kind": "number"}})
    assert not is_question("markdown", "Answer: 1", {"nbgrader": GRADED, "fairmark": {}})
    assert not is_question("markdown", "Answer: 1", {"nbgrader": GRADED, "fairmark": "number"})
    assert not is_question("markdown", "```\n- [x] a\n```", {"nbgrader": GRADED})
    assert not is_question("markdown", tasks, {"nbgrader": GRADED | {"solution": False}})
    assert not is_question("markdown", tasks, {"nbgrader": GRADED | {"grade": False}})
    assert not is_question("markdown", tasks, {"nbgrader": GRADED | {"task": True}})
    assert not is_question("code", tasks, {"nbgrader": GRADED})
    assert not is_question("markdown", tasks, {})


def test_a_question_holds_all_that_its_cell_says():
    """Title, prompt, options and explanations are read from the text."""
    question = QUESTIONS["one"]
    assert question.title == "Which one?"
    assert question.prompt == "**Which *one*?** Choose."
    assert [option.text for option in question.options] == ["a $x$", "b `code`", "c ![picture](c.png)"]
    assert [option.explanation for option in question.options] == ["", "Why.", ""]
    assert question.explanation == "General."
    assert (question.kind, question.credit, question.shuffle, question.visibility) == (
        "one",
        "off",
        False,
        "visible",
    )


def test_the_kind_is_guessed_from_the_ticks():
    """One tick means one answer, several mean several."""
    assert read_question("?\n\n- [x] a\n- [ ] b", id="q", points=1).kind == "one"
    assert read_question("?\n\n- [x] a\n- [x] b", id="q", points=1).kind == "any"


def test_odd_html_is_no_fault():
    """HTML that no browser knows is the author's, and stays."""
    source = "Which?\n\n<div><![foo[ <!-- note --> ]]></div>\n\n- [x] a\n- [ ] b"
    assert find_faults(source, id="q", points=1) == ()


def test_a_title_is_one_short_line():
    """A long first sentence is cut, and one without words falls back to the cell's name."""
    source = "{}\n\n- [x] a\n- [ ] b"
    assert read_question(source.format("# Is $a * b * c$\n"), id="q", points=1).title == "Is $a * b * c$"
    assert (
        read_question(source.format("The mode (e.g. wrap)?"), id="q", points=1).title
        == "The mode (e.g. wrap)?"
    )
    assert read_question("- [x] a\n- [ ] b", id="q", points=1).title == "q"
    assert len(read_question(source.format("word " * 90), id="q", points=1).title) <= 120


@pytest.mark.parametrize("kind", QUESTIONS)
def test_the_release_is_never_right(kind):
    """An untouched cell is unanswered and worth nothing."""
    question = QUESTIONS[kind]
    for text in ("", question.released):
        marked = mark(question, read_answer(question, text))
        assert (marked.score, marked.answered) == (0, False)
    assert assemble(question, question.released) == question.released


def test_nothing_ticked_is_never_right_even_without_a_key():
    """Where no option is right, leaving all boxes empty earns nothing."""
    question = QUESTIONS["any"]
    empty = replace(question, options=tuple(replace(option, right=False) for option in question.options))
    for credit in ("off", "net", "each"):
        marked = mark(replace(empty, credit=credit), Answer(()))
        assert (marked.score, marked.answered) == (0, False)


@given(seed=st.text(), lines=st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=8, unique=True))
def test_an_ordering_release_is_never_the_key(seed, lines):
    """The released order is another one, and the same each time."""
    source = "Sort.\n\n" + "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))
    released = blank(source, id=seed, settings={"kind": "order"})
    assert re.findall(r"\) (\w)", released) != lines
    assert sorted(re.findall(r"\) (\w)", released)) == sorted(lines)
    assert blank(released, id=seed, settings={"kind": "order"}) == released


def test_the_released_order_says_nothing_about_the_key():
    """Two keys over the same lines are released alike, but for the one that would be the key itself."""
    orders = ("1. a\n2. b\n3. c", "1. c\n2. b\n3. a", "1. b\n2. a\n3. c", "1. b\n2. c\n3. a")
    released = [blank(order, id="q", settings={"kind": "order"}) for order in orders]
    assert len(set(released)) <= 2


def test_ten_lines_keep_their_text_when_they_are_renumbered():
    """A number with two digits does not push a line out of its place."""
    lines = [f"line {number}\n    more {number}" for number in range(12)]
    source = "Sort.\n\n" + "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))
    assert find_faults(source, id="q", points=1, settings={"kind": "order"}) == ()


# --- feedback ------------------------------------------------------------------------------------------


def test_feedback_tells_each_option_and_its_explanation():
    """Each option says whether it was chosen and right, and why."""
    question = QUESTIONS["one"]
    text = explain(question, mark(question, read_answer(question, "- [x] a $x$")))
    assert "✗ a $x$ *(you chose it, but it is not right)*" in text
    assert "○ b `code` *(right, you did not choose it)*\n  > Why." in text
    assert text.endswith("\n\nGeneral.\n")


def test_feedback_tells_given_and_accepted_answers():
    """A written answer stands beside what is accepted, rows beside their key."""
    question = QUESTIONS["text"]
    text = explain(question, mark(question, read_answer(question, "Answer: wrap")))
    assert "- You wrote: `wrap`\n- Accepted: `reflect` or `mirror`" in text
    question = QUESTIONS["match"]
    text = explain(question, mark(question, read_answer(question, "| a | B |\n| b | B |")))
    assert "✗ a: A. alpha *(you: B. beta)*" in text
    assert "✓ b: B. beta" in text
    assert "✗ c: A. alpha *(you: nothing)*" in text


HOSTILE = st.lists(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "`",
            "``",
            "$",
            "|",
            "\\",
            "[a](javascript:b)",
            "*",
            "_",
            "&lt;",
            "-->",
            "x",
            " ",
        ]
    ),
    min_size=1,
    max_size=12,
).map("".join)


@given(text=HOSTILE)
@pytest.mark.parametrize("kind", ["text", "command", "number"])
def test_students_text_is_inert_in_feedback_and_assembled_cell(kind, text):
    """What a student wrote renders as text inside code, never as markup, HTML or formula."""
    question = QUESTIONS[kind]
    student = f"Answer: {text}"
    for shown in (
        explain(question, mark(question, read_answer(question, student))),
        assemble(question, student),
    ):
        html = MarkdownIt("commonmark").enable("table").render(shown)
        html = re.sub(r"<code>[^<]*</code>", "", html)
        assert not set(re.findall(r"</?(\w+)", html)) - {"p", "ul", "li", "strong", "em", "blockquote"}
        assert "$" not in html
        assert "javascript" not in html


def test_steering_characters_do_not_reach_the_feedback():
    """Neither the terminal nor the reading order can be steered by an answer."""
    question = QUESTIONS["text"]
    text = explain(question, mark(question, read_answer(question, "Answer: a\x1b[31m\u202eb\u2028c")))
    assert all(char.isprintable() or char == "\n" for char in text)


# --- any text is valid ---------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(line for source in SOURCES.values() for line in source.split("\n")),
        *(
            "- [x] a",
            "* [X] b",
            "+ [ x] c",
            "    - [x] a",
            "> - [x] b",
            "1. init",
            "9) add",
            "2) add",
            "```",
            "~~~",
        ),
        *(
            "$$",
            "| a | B |",
            "|a|",
            "| c | `z` |",
            "Answer:",
            "Answer: x",
            "**Answer:** `y`",
            "Or: z",
            "A. beta",
            "---",
        ),
        *(
            "===",
            "# h",
            "<div>",
            "<!--",
            "[x]: y",
            "\t- [x] c",
            "- > q",
            "\\",
            "|",
            "\x0c",
            "\x85",
            "\u2028",
            "\0",
            "\ud800",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(),
    st.lists(PIECES).map("\n".join),
    st.lists(st.tuples(st.sampled_from(["", " ", "  ", "    ", "> ", "- "]), PIECES).map("".join)).map(
        "\r\n".join
    ),
    st.lists(st.one_of(PIECES, st.text(max_size=6))).map("\n".join),
)


@settings(max_examples=250, deadline=None)
@given(text=TEXTS)
@pytest.mark.parametrize("kind", QUESTIONS)
def test_any_text_is_a_valid_answer(kind, text):
    """Any text can be read, assembled, marked and explained, and the assembled cell says the same."""
    question = QUESTIONS[kind]
    answer = read_answer(question, text)
    marked = mark(question, answer)
    assert 0 <= marked.score <= question.points
    assert marked.answered or marked.score == 0
    assert explain(question, marked)
    assembled = assemble(question, text)
    assert read_answer(question, assembled).given == answer.given
    assert assemble(question, assembled) == assembled
    cleared = blank(assembled, id=question.id, settings={"kind": kind})
    if kind != "order" and len(answer.given) < 2:
        assert cleared == question.released


@settings(max_examples=250, deadline=None)
@given(text=TEXTS)
@pytest.mark.parametrize("kind", QUESTIONS)
def test_blanking_twice_is_blanking_once(kind, text):
    """A release does not change when it is released again, and faults of any text can be told."""
    chosen = {"kind": kind}
    released = blank(text, id="q", settings=chosen)
    assert blank(released, id="q", settings=chosen) == released
    assert not shows_key(released, id="q", settings=chosen)
    faults = find_faults(text, id="q", points=1, settings=chosen)
    assert all(isinstance(fault, str) for fault in faults)


@pytest.mark.parametrize("space", ["\x0c", "\xa0", "\u2028"])
def test_odd_white_space_moves_no_line(space):
    """White space that only some programs know does not shift what is edited."""
    assert blank(f"{space}\nAnswer: x", settings={"kind": "text"}) == f"{space}\nAnswer: "
    assert blank(f"- {space}\n  [x] a\n- [ ] b") == f"- {space}\n  [ ] a\n- [ ] b"


@given(text=st.text(alphabet="` ax\\"))
def test_code_reads_back_as_what_it_was(text):
    """Text set in as code is read as the same text."""
    text = text.strip()
    assert not text or without_code_span(code_span(text)) == text


@given(order=st.permutations(range(3)), ticks=st.sets(st.integers(0, 2)), bullet=st.sampled_from("-*+"))
def test_marks_depend_on_the_options_text_alone(order, ticks, bullet):
    """Shuffled options and other bullets change neither points nor what is told."""
    question = QUESTIONS["one"]
    lines = [f"{bullet} [{'x' if place in ticks else ' '}] {question.options[place].text}" for place in order]
    marked = mark(question, read_answer(question, "\n".join([question.prompt, "", *lines])))
    assert (marked.status == "passed") == (ticks == {1})
    assert not marked.notes


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize(
    "piece",
    [
        ">",
        "- ",
        "[",
        "`",
        "$$a\n",
        "- [x] a\n",
        "|x",
        "|x|\n|-|\n",
        "\n",
        "a\u0315\u0316",
        "Answer:\n",
        "1) x\n",
    ],
)
def test_huge_text_is_read_in_part(kind, piece):
    """A cell of any length is read up to a limit, and this is told."""
    question = QUESTIONS[kind]
    answer = read_answer(question, piece * (400_000 // len(piece)))
    assert mark(question, answer).score == 0
    assert "Your cell is very long: only its beginning was read." in answer.notes


@pytest.mark.parametrize(
    "text", ["1" * 1_000, "1e99999", "1e-99999", "nan", "inf", "0x10", "1_000", "१", "+", ".", "1.2.3", "--1"]
)
def test_odd_numbers_are_wrong_not_errors(text):
    """What Python or Unicode would take as a number is taken only where a person would."""
    question = QUESTIONS["number"]
    assert mark(question, Answer((text,))).score == 0


def test_a_very_long_answer_is_cut_and_told():
    """A written answer has a limit."""
    answer = read_answer(QUESTIONS["text"], "Answer: " + "a" * 5_000)
    assert len(answer.given[0]) == 1_000
    assert "Your answer is very long: only its first 1000 characters were read." in answer.notes
