"""Results in the formats of other programs, read back by parsers that are not ours."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from courses import make_course, run_nbgrader
from defusedxml.ElementTree import fromstring
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from nbgrader.api import Gradebook

from fairmark import exporters
from fairmark.authoring import read_assignment
from fairmark.cli import main
from fairmark.errors import UsageError
from fairmark.exporters import CellMark, Marks, Person, show_to_student, stand
from fairmark.gradebook.assignments import ensure_assignment
from fairmark.gradebook.reading import read_hand_ins
from fairmark.gradebook.writing import Writer
from fairmark.quiz import read_question
from fairmark.results import (
    AssignmentStamp,
    CheckResult,
    GraderStamp,
    Item,
    SubmissionResult,
    SubmissionStamp,
    to_json,
)
from fairmark.standings import read_standings

HOSTILE = '=HYPERLINK("http://x")<script>alert(1)</script>\x00\x1b[31m | `@all` ]]> \ud800'
ITEMS = (
    Item("colours", "numbers", "quiz", "Which of these is not a colour?", "passed", 2.0, 2.0),
    Item(
        "mean-test", "numbers", "code", "the mean", "partial", 2.5, 4.0, message="1 of 2 checks failed.",
        hint="Think of empty lists.", duration_s=0.25,
        checks=(
            CheckResult("gives the mean", "passed", 2.5, 2.5),
            CheckResult("of nothing", "failed", 0.0, 1.5, "expected nan, got 0", "Think of empty lists.", "div"),
        ),
    ),
    Item("secret", "numbers", "code", "secret test", "failed", 0.0, 1.0, visibility="hidden", message="inputs 3, 4"),
    Item("later", "numbers", "code", "later test", "failed", 0.0, 1.0, visibility="after_due_date", message="later"),
    Item("why", "numbers", "written", "why", "skipped", 0.0, 3.0, needs_review=True, message="A person grades this."),
    Item("ours", "numbers", "code", "broken", "error", 0.0, 1.0, needs_review=True, message="the test broke"),
)  # fmt: skip
GRADER = GraderStamp("0.1", "3.11", "aa", 7, "bubblewrap", "2026-05-04T10:00:00+00:00")


def result_of(student="ann", items=ITEMS, **more):
    stamp = SubmissionStamp(student, "2026-05-04T08:30:00+00:00", commit="abcdef1234567")
    return SubmissionResult(AssignmentStamp("ps1", "0"), stamp, GRADER, "graded", items, **more)


def standing_of(student="ann", items=ITEMS, **more):
    return stand("ps1", result_of(student, items), Marks(Person(student, **more), ()))


def rows(text):
    return list(csv.reader(io.StringIO(text)))


# --- standing ------------------------------------------------------------------------------------------


def test_a_manual_score_wins_and_a_comment_is_told():
    """What a person marked counts, with extra credit; everything else stays as grading found it."""
    cells = (
        CellMark("numbers", "why", 3.0, None, 2.0, 0.5, comment="Nearly."),
        CellMark("numbers", "mean-test", 4.0, 2.5, 4.0),
        CellMark("numbers", "secret", 1.0, 0.0),
    )
    standing = stand("ps1", result_of(), Marks(Person("ann"), cells, late_penalty=1.0))
    items = {item.id: item for item in standing.items}
    assert (items["why"].score, items["why"].needs_review, items["why"].status) == (2.5, False, "partial")
    assert "Nearly." in items["why"].message
    assert (items["mean-test"].score, items["mean-test"].status) == (4.0, "passed")
    assert standing.score == 2 + 4 + 2.5 - 1
    assert [item.id for item in standing.items] == [item.id for item in ITEMS]


def test_a_gradebook_without_result_documents_has_standings_too():
    """A course that was graded by nbgrader alone can be exported."""
    marks = Marks(
        Person("ann"), (CellMark("numbers", "mean-test", 4.0, 3.0), CellMark("numbers", "why", 3.0))
    )
    standing = stand("ps1", None, marks)
    assert (standing.score, standing.max_score, standing.status) == (3.0, 7.0, "graded")
    assert [item.status for item in standing.items] == ["partial", "failed"]


def test_what_students_may_not_see_is_one_line_without_words():
    """Points of hidden questions count, and nothing else of them is told."""
    shown = show_to_student(ITEMS)
    assert [item.id for item in shown][-1] == "not-shown"
    assert shown[-1].max_score == 2.0
    assert "inputs" not in str(shown)
    assert "later test" in str(show_to_student(ITEMS, past_due=True))


# --- tables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\uff1d1", "\n=1"])
def test_no_text_is_a_formula(text):
    """A spreadsheet that opens the file computes nothing."""
    assert exporters.defuse(text).startswith("'")
    assert exporters.defuse("Anna-Lena = x") == "Anna-Lena = x"


def test_the_wide_table_has_a_line_a_student_and_a_column_a_cell():
    """Numbers are numbers, names are quoted, and cells that a student lacks are empty."""
    table = exporters.write_wide_table([
        standing_of("ann", first_name="Ann", last_name="O'Neil, Jr"), standing_of("bob", ITEMS[:1]),
    ])  # fmt: skip
    head, ann, bob = rows(table)
    assert head[:4] == ["student", "last_name", "first_name", "email"]
    assert ann[1] == "O'Neil, Jr"
    assert dict(zip(head, ann, strict=True))["score"] == "4.5"
    assert dict(zip(head, bob, strict=True))["numbers/why"] == ""
    assert '"ps1"' in table
    assert ",4.5," in table


def test_the_long_table_has_a_line_a_cell():
    """What statistics programs read."""
    head, *lines = rows(exporters.write_long_table([standing_of()]))
    assert len(lines) == len(ITEMS)
    assert dict(zip(head, lines[1], strict=True))["score"] == "2.5"


def test_hostile_texts_are_inert_in_tables():
    """Names and titles with formulas, markup and control characters stay texts in one field."""
    items = (replace(ITEMS[0], title=HOSTILE, message=HOSTILE),)
    table = exporters.write_long_table([standing_of(HOSTILE, items, email="+49 1")])
    _, line = rows(table)
    assert line[0].startswith("'=")
    assert line[3] == "'+49 1"
    assert "\x00" not in table
    table.encode()


def test_moodles_worksheet_is_filled_in():
    """Its lines and columns stay; grades are found by e-mail address, number or id, and strangers are left alone."""
    sheet = (
        "\ufeffIdentifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments\r\n"
        'Participant 11,"Ann O",ann@x.org,Submitted,,10.00,\r\n'
        "Participant 12,Bob,BOB@x.org,Submitted,,10.00,\r\n"
        "Participant 13,Cid,cid@x.org,No submission,,10.00,\r\n"
    )
    standings = [standing_of("ann", email="ann@x.org"), standing_of("bob", ITEMS[:1], lms_id="12")]
    head, ann, bob, cid = rows(exporters.write_moodle(standings, sheet))
    assert head == [
        "Identifier",
        "Full name",
        "Email address",
        "Status",
        "Grade",
        "Maximum Grade",
        "Feedback comments",
    ]
    assert (ann[0], ann[4]) == ("Participant 11", "4.5")
    assert bob[4] == "2.0"
    assert cid[4] == ""
    with pytest.raises(UsageError, match="'Grade'"):
        exporters.write_moodle(standings, "a,b\n1,2\n")


def test_a_worksheet_for_moodle_is_made_from_the_gradebook():
    """With Moodle's own heading, and its number for each participant."""
    head, ann = rows(exporters.write_moodle([standing_of("ann", lms_id="11")]))
    assert (head[0], head[4], ann[0], ann[4]) == ("Identifier", "Grade", "Participant 11", "4.5")


def test_canvas_gradebook_is_filled_in():
    """The column of the assignment is found by its name, students by their ids; nothing else changes."""
    sheet = (
        "Student,ID,SIS User ID,SIS Login ID,Section,ps1 (77),Final Score\n"
        "    Points Possible,,,,,13,(read only)\n"
        '"O, Ann",5,u5,ann,A,,80\n"B, Bob",6,u6,bob,A,1,70\n'
    )
    head, points, ann, bob = rows(exporters.write_canvas([standing_of("ann")], sheet))
    assert head[5:] == ["ps1 (77)", "Final Score"]
    assert points[0] == "    Points Possible"
    assert (ann[5], ann[6], bob[5]) == ("4.5", "80", "1")


def test_a_gradebook_for_canvas_is_made():
    """With the four columns that Canvas asks for, and the points that are possible."""
    head, points, ann = rows(exporters.write_canvas([standing_of("ann", first_name="Ann", last_name="O")]))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps1"]
    assert (points[0].strip(), points[5], ann[0], ann[3], ann[5]) == (
        "Points Possible",
        "12.0",
        "O, Ann",
        "ann",
        "4.5",
    )


# --- documents -----------------------------------------------------------------------------------------

VISIBILITIES = {"visible", "hidden", "after_due_date", "after_published"}


def test_gradescopes_results_follow_its_documentation():
    """Fields, types and words are those of Gradescope's page on the format."""
    document = json.loads(exporters.write_gradescope(standing_of()))
    assert set(document) <= {
        "score", "execution_time", "output", "output_format", "test_output_format", "test_name_format",
        "visibility", "stdout_visibility", "extra_data", "tests", "leaderboard",
    }  # fmt: skip
    assert (document["score"], document["stdout_visibility"]) == (4.5, "hidden")
    for test in document["tests"]:
        assert set(test) <= {
            "score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags",
            "visibility", "extra_data",
        }  # fmt: skip
        assert isinstance(test["score"], float)
        assert 0 <= test["score"] <= test["max_score"]
        assert test["visibility"] in VISIBILITIES
        assert test.get("status", "passed") in {"passed", "failed"}
        assert (test["output_format"], test["name_format"]) == ("text", "text")
    assert [test["visibility"] for test in document["tests"]][2:4] == ["hidden", "after_due_date"]
    assert "status" not in document["tests"][4]


def test_classroom50s_result_follows_its_schema():
    """Whole numbers, UTC, a tag that begins with submit/, and every field that its schema asks for."""
    document = json.loads(
        exporters.write_classroom50(standing_of(), classroom="ip26", repository="https://g/o/r")
    )
    assert set(document) == {
        "schema", "classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release",
        "review", "datetime", "graded_at", "score", "max-score", "tests",
    }  # fmt: skip
    assert (document["schema"], document["assignment_type"]) == ("classroom50/result/v1", "individual")
    assert re.match("submit/", document["submission"])
    for moment in (document["datetime"], document["graded_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
    assert document["commit"] == "https://g/o/r/commit/abcdef1234567"
    numbers = [document["score"], document["max-score"]]
    for test in document["tests"]:
        assert set(test) == {"test-name", "passed", "score", "max-score"}
        numbers += [test["score"], test["max-score"]]
    assert all(type(number) is int and number >= 0 for number in numbers)
    assert (document["score"], document["max-score"]) == (9, 24)  # halves: twice the points of 4.5 and 12
    assert "secret" not in json.dumps(document)


def test_junit_is_read_by_another_parser():
    """A failure is the student's, an error ours, and what waits for a person is skipped."""
    text = exporters.write_junit([standing_of(), standing_of("bob", ITEMS[:1])])
    suites = list(JUnitXml.fromstring(text.encode()))
    assert [(s.name, s.tests, s.failures, s.errors, s.skipped) for s in suites] == [
        ("ps1/ann", 5, 2, 1, 1),
        ("ps1/bob", 1, 0, 0, 0),
    ]
    assert "secret" not in text
    assert "inputs 3, 4" not in text


def test_hostile_texts_are_inert_in_xml_and_markdown():
    """Control characters, markup, mentions and tables' bars stay text."""
    items = (replace(ITEMS[1], title=HOSTILE, message=HOSTILE, hint=HOSTILE),)
    text = exporters.write_junit([standing_of(HOSTILE, items)])
    case = fromstring(text.encode()).find("testsuite/testcase")
    assert "<script>" in case.get("name")
    page = exporters.write_markdown([standing_of("ann", items)])
    html = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(page)
    assert not set(re.findall(r"</?([a-z0-9]+)", html)) - {
        "h2",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "br",
    }
    assert html.count("<tr>") == 2
    assert "@all" not in page


def test_the_summary_of_a_class_has_a_line_a_student():
    """And the page of one student tells what to do next."""
    assert exporters.write_markdown([standing_of("ann"), standing_of("bob")]).count("\n") == 4
    page = exporters.write_markdown([standing_of()])
    assert "Think of empty lists" in page
    assert "secret" not in page


# --- quizzes -------------------------------------------------------------------------------------------

SOURCES = {
    "one": "**Which {one}?** Choose.\n\n- [ ] a = $x$\n- [x] b ~ `code`\n  > Why: so.\n- [ ] c\n\n> General.",
    "any": "Which?\n\n- [x] a\n- [x] b\n- [ ] c",
    "number": "How much?\n\nAnswer: 28.3 ± 0.1 px",
    "text": "Which mode?\n\nAnswer: reflect\nOr: mirror",
    "command": "Push.\n\nAnswer: `git push origin main`\nOr: git push",
    "match": "Match.\n\nA. alpha\nB. beta\n\n| term | letter |\n|---|---|\n| a | A |\n| b | B |",
    "order": "Sort.\n\n1. init\n2. add\n3. commit",
}
QUESTIONS = [
    read_question(source, id=f"q-{kind}", points=2, settings={"kind": kind})
    for kind, source in SOURCES.items()
]


def read_gift(text):
    """Split GIFT into title, text and answers: a small parser after Moodle's description of the format."""
    for part in re.split(r"\n\s*\n(?=::)", text.strip()):
        title, body, inside = re.fullmatch(
            r"::(.*?)::((?:[^{}\\]|\\.)*)\{((?:[^{}\\]|\\.)*)\}", part, re.DOTALL
        ).groups()
        answers = re.findall(r"(?<!\\)([=~])((?:[^=~#\\]|\\.)*)", inside.partition("####")[0])
        yield title, body, inside, [(sign, answer.strip()) for sign, answer in answers]


def test_gift_holds_each_question_with_its_key():
    """What has a meaning in GIFT is escaped, and each kind becomes one that Moodle knows."""
    found = {title: rest for title, *rest in read_gift(exporters.write_gift(QUESTIONS))}
    assert found.keys() == {f"q-{kind}" for kind in SOURCES}
    body, _, answers = found["q-one"]
    assert "Which \\{one\\}?" in body
    assert [sign for sign, _ in answers] == ["~", "=", "~"]
    assert answers[0][1] == r"a \= $x$"
    assert [answer[:5] for _, answer in found["q-any"][2]] == ["%50%a", "%50%b", "%-100"]
    assert found["q-number"][1].startswith("#")
    assert found["q-number"][2] == [("=", r"28.3:0.1")]
    assert [answer for _, answer in found["q-command"][2]] == ["git push origin main", "git push"]
    assert found["q-match"][2] == [("=", "a -> alpha"), ("=", "b -> beta")]
    assert found["q-order"][2][0] == ("=", "init -> 1")


def test_moodles_xml_holds_each_question_with_its_key():
    """Types and fields are those of Moodle's page on the format, and fractions add up to everything."""
    root = fromstring(exporters.write_moodle_xml(QUESTIONS, "ip26/ps1"))
    category, *nodes = root.findall("question")
    assert category.findtext("category/text") == "$course$/ip26/ps1"
    assert [node.get("type") for node in nodes] == [
        "multichoice", "multichoice", "numerical", "shortanswer", "shortanswer", "matching", "matching",
    ]  # fmt: skip
    for node in nodes:
        assert node.findtext("name/text")
        assert node.find("questiontext").get("format") == "markdown"
        assert node.findtext("defaultgrade") == "2"
        right = [
            float(each.get("fraction")) for each in node.findall("answer") if float(each.get("fraction")) > 0
        ]
        if node.get("type") in ("multichoice", "numerical"):
            assert sum(right) == pytest.approx(100)
    assert nodes[2].findtext("answer/tolerance") == "0.1"
    assert [pair.findtext("answer/text") for pair in nodes[6].findall("subquestion")] == ["1", "2", "3"]
    assert nodes[0].findall("answer")[1].findtext("feedback/text") == "Why: so."


# --- the command and nbgrader's own --------------------------------------------------------------------


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course with one graded hand-in in its gradebook, with a mark of a person."""
    course = make_course(tmp_path_factory.mktemp("graded"))
    assignment = read_assignment(course, "ps1")
    ensure_assignment(course, assignment)
    items = tuple(item for item in ITEMS if item.id in ("colours", "mean-test", "why"))
    result = result_of(items=items)
    folder = course.autograded("ann", "ps1")
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(to_json(result))
    with Writer(course) as writer:
        writer.save(result, {})
    with Gradebook(course.db_url) as book:
        book.update_or_create_student(
            "ann", first_name="Ann", last_name="O", email="ann@x.org", lms_user_id="11"
        )
        grade = book.find_grade("why", "numbers", "ps1", "ann")
        grade.manual_score, grade.needs_manual_grade = 3.0, False
        book.find_comment("why", "numbers", "ps1", "ann").manual_comment = "Good."
        book.db.commit()
    return course


def test_the_gradebooks_marks_are_read(graded):
    """A person's mark and words, names, and the cells that nobody has marked yet."""
    (marks,) = read_hand_ins(graded, "ps1")
    assert marks.person == Person("ann", "Ann", "O", "ann@x.org", "11")
    cells = {mark.cell: mark for mark in marks.cells}
    assert (cells["why"].score, cells["why"].comment) == (3.0, "Good.")
    assert cells["draw"].written
    (standing,) = read_standings(graded, "ps1")
    assert standing.score == 2 + 2.5 + 3
    assert read_hand_ins(graded, "nothing") == ()


FORMATS = {
    "csv": '"ann"', "csv-long": '"mean-test"', "moodle": '"Participant 11"', "canvas": "Points Possible",
    "junit": "<testsuites", "markdown": "| question |", "gradescope": '"stdout_visibility"',
    "classroom50": "classroom50/result/v1", "gift": "::colours::", "moodle-xml": "multichoice",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_each_format(graded, form, tmp_path, capsys):
    """To a file, or to the terminal."""
    words = ["export", "ps1", "--to", form, "--course", str(graded.root)]
    words += ["--student", "ann"] if form in ("gradescope", "classroom50") else []
    assert main([*words, "-o", str(tmp_path / "made" / "file")]) == 0
    text = (tmp_path / "made" / "file").read_text()
    assert FORMATS[form] in text
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().out.replace("\r\n", "\n") == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", "--to", "csv"], "no assignment 'nothing'"),
        (["--to", "csv", "--student", "zoe"], "nothing by: zoe"),
        (["--to", "csv", "--sheet", "x.csv"], "--sheet is for"),
        (["--to", "moodle", "--sheet", "missing.csv"], "cannot be read"),
    ],
)
def test_wrong_use_is_told(graded, words, message, capsys):
    """With exit code 2 and a sentence."""
    assert main(["export", *words, "--course", str(graded.root)]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("plugin", ["WideTable", "LongTable", "Moodle", "Canvas"])
def test_nbgraders_export_takes_the_tables(graded, plugin, tmp_path):
    """`nbgrader export --exporter=…` writes them."""
    path = tmp_path / "grades.csv"
    run_nbgrader(graded.root, "export", f"--exporter=fairmark.plugins.{plugin}", f"--to={path}")
    assert "ps1" in path.read_text() or plugin == "Moodle"
    assert "7.5" in path.read_text() or plugin == "LongTable"


def test_nothing_heavy_is_loaded_for_a_wrong_command():
    """nbgrader takes seconds to import."""
    code = "import sys, fairmark.cli.export; sys.exit('nbgrader' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path.cwd()).returncode == 0
