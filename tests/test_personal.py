"""Each student gets an own release, and is graded by the variant that was handed in, through both doors."""

import json
import sqlite3
from collections import Counter

import nbformat
import pytest
from courses import answer, check, make_course, markdown, notebook, question, run_nbgrader, write

from fairmark import quiz
from fairmark.authoring import read_assignment
from fairmark.batch import grade_assignment
from fairmark.cli import main
from fairmark.errors import AuthorError, UsageError
from fairmark.personal import read_roster, release_per_student
from fairmark.release import release_assignment

KERNEL = """**How many entries has a kernel of 3 by 3?**

Answer: 9

> Three times three.

+++

**How many entries has a kernel of 5 by 5?**

Answer: 25

> Five times five.

+++

**How many entries has a kernel of 7 by 7?**

Answer: 49

> Seven times seven."""
COLOURS = """**Which of these are colours?** (all that apply)

- [x] red
- [ ] seven
  > A number.
- [x] blue
- [ ] loud
- [x] green

> Look at the rainbow."""
PARTNERS = """**What belongs together?**

- A. bark
- B. mew

| animal | letter |
|---|---|
| dog | A |
| cat | B |
| fox | A |"""
STUDENTS = tuple(f"student{number}" for number in range(40))


def personal_notebook():
    """Return a notebook with a pool, shuffled options, shuffled rows, and an ordinary question."""
    return notebook(
        markdown("# Numbers", "title"),
        question(KERNEL, "kernel", fairmark={"kind": "number"}),
        question(COLOURS, "colours", fairmark={"kind": "any", "shuffle": True}),
        question(PARTNERS, "partners", fairmark={"kind": "match", "shuffle": True}),
        question(grade_id="plain"),
        answer(),
        check(),
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Return a course that was released, and released per student."""
    root = tmp_path_factory.mktemp("personal") / "course"
    course = make_course(root, {"numbers": personal_notebook()})
    (root / ".fairmark").mkdir()
    (root / ".fairmark/secret").write_bytes(b"fixed, so that the draws are the same in every run")
    release_assignment(course, "ps1")
    release_per_student(course, read_assignment(course, "ps1"), STUDENTS)
    return course


def own(course, student):
    """Return a student's own cells by their ids."""
    node = nbformat.read(course.root / f"release_per_student/{student}/ps1/numbers.ipynb", as_version=4)
    nbformat.validate(node)
    return {cell.id: cell.source for cell in node.cells}


def options(source):
    return [line for line in source.split("\n") if line.startswith("- [")]


def test_variants_are_drawn_evenly_and_hold_no_key(course):
    """Each of the three questions goes to some students, and to none with an answer or an explanation."""
    texts = [own(course, student)["kernel"] for student in STUDENTS]
    sizes = Counter(text.split(" by ")[1][0] for text in texts)
    assert sizes.keys() == {"3", "5", "7"}
    assert min(sizes.values()) >= 6
    assert all(text.endswith("Answer: ") and text.count("**") == 2 and "+++" not in text for text in texts)


def test_options_are_shuffled_and_all_are_there(course):
    """In many orders; what comes before and after stays in its place."""
    texts = [own(course, student)["colours"] for student in STUDENTS]
    assert {frozenset(options(text)) for text in texts} == {
        frozenset(f"- [ ] {word}" for word in ("red", "seven", "blue", "loud", "green"))
    }
    assert len({tuple(options(text)) for text in texts}) > 20
    rows = [own(course, student)["partners"].split("\n")[-3:] for student in STUDENTS]
    assert len({tuple(row) for row in rows}) == 6


def test_everything_else_is_the_release(course):
    """Cells, metadata and files that are not drawn are those that everybody gets."""
    common = nbformat.read(course.release("ps1") / "numbers.ipynb", as_version=4)
    mine = nbformat.read(course.root / "release_per_student/student0/ps1/numbers.ipynb", as_version=4)
    for cell in common.cells + mine.cells:
        if cell.id in ("kernel", "colours", "partners"):
            cell.source = ""
    assert mine == common
    assert common.cells[1].metadata.fairmark == {"kind": "number"}


def test_the_draw_is_the_same_again_and_needs_the_secret(course):
    """The same student gets the same text; another secret, notebook or assignment gives another draw."""
    before = {student: own(course, student) for student in STUDENTS}
    release_per_student(course, read_assignment(course, "ps1"), STUDENTS[::-1])
    assert {student: own(course, student) for student in STUDENTS} == before
    asked = quiz.read_question(COLOURS, id="colours", points=1, settings={"kind": "any", "shuffle": True})
    draws = [(b"a", "anna", "ps1", "n"), (b"b", "anna", "ps1", "n"), (b"a", "anna", "ps2", "n")]
    assert len({quiz.Draw(*each).released(asked) for each in [*draws, (b"a", "anna", "ps1", "m")]}) >= 3


def test_the_command_draws_for_everybody_on_the_roster(course, tmp_path, capsys):
    """After the common release; the same texts as before."""
    before = own(course, "student3")
    (tmp_path / "roster.csv").write_text("id\nstudent3\nnewcomer\n")
    arguments = [
        "release",
        "ps1",
        "--course",
        str(course.root),
        "--per-student",
        str(tmp_path / "roster.csv"),
    ]
    assert main(arguments) == 0
    assert "Drawn for 2 students: release_per_student/<student>/ps1" in capsys.readouterr().out
    assert own(course, "student3") == before
    assert own(course, "newcomer").keys() == before.keys()


def test_nothing_is_left_of_an_older_release(course):
    """A file that is not in the release any more goes; no draft stays behind."""
    folder = course.root / "release_per_student/student1"
    (folder / "ps1/old.csv").write_text("old")
    release_per_student(course, read_assignment(course, "ps1"), ["student1"])
    assert [path.name for path in folder.iterdir()] == ["ps1"]
    assert not (folder / "ps1/old.csv").exists()


# --- graded whichever variant was handed in ---------------------------------------------------------------

RIGHT = {"3": "9", "5": "25", "7": "49"}


def answered(text, value):
    return text.replace("Answer: ", f"Answer: {value}")


def ticked(text, *words):
    for word in words:
        text = text.replace(f"- [ ] {word}", f"- [x] {word}")
    return text


def lettered(text):
    for animal, letter in (("dog", "A"), ("cat", "B"), ("fox", "A")):
        text = "\n".join(
            f"| {animal} | {letter} |" if line.startswith(f"| {animal} ") else line
            for line in text.split("\n")
        )
    return text


def hand_in(course, student, taken_from, *, value=None, rename=False):
    """Hand in another student's, or the own, copy with answers."""
    path = course.root / f"release_per_student/{taken_from}/ps1/numbers.ipynb"
    node = nbformat.read(path, as_version=4)
    for cell in node.cells:
        if cell.id == "kernel":
            cell.source = answered(cell.source, value or RIGHT[cell.source.split(" by ")[1][0]])
        elif cell.id == "colours":
            cell.source = ticked(cell.source, "red", "blue", "green")
        elif cell.id == "partners":
            cell.source = lettered(cell.source)
        elif cell.id == "plain":
            cell.source = ticked(cell.source, "seven")
    if rename:
        for cell in node.cells:
            cell.metadata = {}
            cell.id = f"other-{cell.id}"
    write(course.root / "submitted" / student / "ps1" / "numbers.ipynb", node)


def variant_of(course, student):
    return own(course, student)["kernel"].split(" by ")[1][0]


@pytest.fixture(scope="module")
def graded(course):
    """Grade own copies, a neighbour's, ones without names, wrong ones, and blank ones through both doors."""
    first = {variant_of(course, student): student for student in reversed(STUDENTS)}
    for size, student in first.items():
        hand_in(course, f"own{size}", student)
        hand_in(course, f"nameless{size}", student, rename=True)
        hand_in(course, f"wrong{size}", student, value=RIGHT["5" if size == "3" else "3"])
        blank = nbformat.read(course.root / f"release_per_student/{student}/ps1/numbers.ipynb", as_version=4)
        write(course.root / f"submitted/blank{size}/ps1/numbers.ipynb", blank)
    blank = nbformat.read(course.release("ps1") / "numbers.ipynb", as_version=4)
    for cell in blank.cells:
        if cell.id == "kernel":
            cell.source = "Answer: 49"
    drawn = next(student for student in STUDENTS if variant_of(course, student) == "7")
    write(course.root / f"submitted/{drawn}/ps1/numbers.ipynb", blank)
    batch = grade_assignment(course, "ps1", workers=1)
    assert not batch.failures
    items = {r.submission.student: {item.id: item for item in r.items} for r in batch.results}
    book = _marks(course)
    run_nbgrader(course.root, "autograde", "ps1", "--force")
    return items, book, _marks(course), drawn


def _marks(course):
    query = (
        "select submitted_assignment.student_id, base_cell.name, grade.auto_score from grade"
        " join base_cell on grade.cell_id = base_cell.id"
        " join submitted_notebook on grade.notebook_id = submitted_notebook.id"
        " join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id"
    )
    with sqlite3.connect(course.root / "gradebook.db") as book:
        return {(student, name): score for student, name, score in book.execute(query)}


@pytest.mark.parametrize("size", RIGHT)
def test_whichever_variant_was_handed_in_is_graded(graded, size):
    """Right answers to the own variant get full marks, with and without metadata; those to another none."""
    items = graded[0]
    quizzes = ("kernel", "colours", "partners", "plain")
    assert [items[f"own{size}"][name].score for name in quizzes] == [2, 2, 2, 2]
    assert [items[f"nameless{size}"][name].score for name in quizzes] == [2, 2, 2, 2]
    assert items[f"wrong{size}"]["kernel"].score == 0
    assert [items[f"blank{size}"][name].score for name in quizzes] == [0, 0, 0, 0]
    assert "no answer" in items[f"blank{size}"]["kernel"].message


def test_a_text_that_tells_nothing_counts_as_the_drawn_variant(graded):
    """Whoever deletes the question and keeps the answer is graded by what was drawn."""
    items, _, _, drawn = graded
    assert items[drawn]["kernel"].score == 2


def test_both_doors_and_one_item_in_the_gradebook(graded):
    """All students have the same items, whatever they drew, and the same marks through both doors."""
    items, ours, nbgraders, _ = graded
    names = {frozenset(each) for each in items.values()}
    assert len(names) == 1
    quizzes = {key: score for key, score in ours.items() if key[1] in ("kernel", "colours", "partners")}
    assert len(quizzes) == 3 * len(items)
    assert {key: nbgraders[key] for key in quizzes} == quizzes


def test_the_page_shows_the_students_own_variant(course, graded):  # noqa: ARG001 - it has to be graded
    """Question, right answer and explanation are those of the variant; the others' keys stay secret."""
    run_nbgrader(course.root, "generate_feedback", "ps1", "--force")
    for size, words in (("3", "Three times three"), ("5", "Five times five"), ("7", "Seven times seven")):
        [page] = (course.root / f"feedback/own{size}/ps1").glob("*.html")
        text = page.read_text()
        assert f"kernel of {size} by {size}" in text
        assert words in text
        assert not [other for other in "357" if other != size and f"kernel of {other} by" in text]
    node = json.loads((course.root / "autograded/own5/ps1/numbers.ipynb").read_text())
    assert any("5 by 5" in "".join(cell["source"]) for cell in node["cells"])


# --- rosters and faults -----------------------------------------------------------------------------------


def test_a_roster_is_the_file_that_nbgrader_imports(tmp_path):
    """A column id among others, empty lines, and the mark that spreadsheets write at the beginning."""
    path = tmp_path / "roster.csv"
    path.write_text("\ufefffirst_name,id,email\nAnna,anna,a@b.c\n\nBen, ben ,\n", encoding="utf-8")
    assert read_roster(path) == ("anna", "ben")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one of them: id"),
        ("name\nanna\n", "one of them: id"),
        ("id\n", "names no student"),
        ("id\nanna\nben\nAnna\n", "line 4: 'Anna' is in line 2, too"),
        ("id,name\nanna,A\n../../etc,B\n,C\n", "line 3: '../../etc' cannot be .* line 4: ''"),
        ("id\n.hidden\n", "line 2"),
        ("id\na/b\n", "line 2"),
    ],
)
def test_a_roster_that_cannot_be_used_is_told(tmp_path, text, words):
    """With the lines that are wrong, all at once."""
    path = tmp_path / "roster.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_roster(path)


def test_a_missing_roster_is_told(tmp_path):
    """With its name."""
    with pytest.raises(UsageError, match=r"nobody\.csv"):
        read_roster(tmp_path / "nobody.csv")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (KERNEL.replace("Answer: 25", "Answer: many"), "Variant 2: The answer 'many' cannot be read"),
        (KERNEL.replace("5 by 5", "3 by 3").replace("Five", "Three"), "Variant 1 has no line of its own"),
        (KERNEL + "\n\n+++\n", "Variant 4: There is no key"),
        (
            KERNEL.replace("\n\n+++\n\n**How many entries has a kernel of 7", "\n\nso\n+++\n**And 7"),
            "part of a paragraph",
        ),
    ],
)
def test_faults_of_variants_are_told(source, words):
    """With the number of the variant."""
    with pytest.raises(AuthorError, match=words):
        quiz.read_question(source, id="kernel", points=1, settings={"kind": "number"})


def test_variants_must_be_of_one_kind():
    """Where the settings say nothing, one tick and two ticks would be two kinds."""
    two = "Which?\n\n- [x] a\n- [ ] b\n\n+++\n\nWhich ones?\n\n- [x] a\n- [x] b\n- [ ] c"
    with pytest.raises(AuthorError, match="different kinds"):
        quiz.read_question(two, id="q", points=1)
    assert quiz.read_question(two, id="q", points=1, settings={"kind": "any"}).others
    mark = quiz.split_variants("```\n+++\n```\n\n- a\n\n  +++\n")
    assert len(mark) == 1  # in code and in a list it is text
