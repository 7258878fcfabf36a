"""What a recipe makes of a released notebook, in a small course of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from fairmark import quiz
from fairmark.authoring import read_assignment
from fairmark.course import Course, open_course
from fairmark.errors import AuthorError, Ungradable, UsageError
from fairmark.intake import read_notebook
from fairmark.simulation import ACTS, Recipe, hand_in, read_recipes

DUE = datetime(2026, 3, 20, 18, tzinfo=UTC)
ONE = "**Which is a fruit?**\n\n- [ ] stone\n- [x] apple, green\n- [ ] brick\n"
MATCH = "**Which?**\n\n- A. red\n- B. blue\n\n| thing | letter |\n|---|---|\n| sky | B |\n| blood | A |\n"
ORDER = "**Sort.**\n\n1. one\n2. two\n3. three\n"
NUMBER = "**How long?**\n\nAnswer: 80 ± 4 mm\n\n> Measured.\n"


def _cell(grade_id: str, text: str, *, kind: str = "", **flags: object):
    metadata = {"nbgrader": {"grade_id": grade_id, "schema_version": 3, "task": False, "grade": False,
                             "solution": False, "locked": False} | flags}  # fmt: skip
    if kind:
        metadata["fairmark"] = {"kind": kind}
        metadata["nbgrader"] |= {"grade": True, "solution": True, "points": 1}
        return v4.new_markdown_cell(text, id=grade_id, metadata=metadata)
    return v4.new_code_cell(text, id=grade_id, metadata=metadata)


def _make_course(root: Path) -> Course:
    solution = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    node = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Doubling", id="title"),
            _cell("double", solution, solution=True),
            _cell("double-test", "assert double(2) == 4", grade=True, locked=True, points=1),
            _cell("fruit", ONE, kind="one"),
            _cell("colours", MATCH, kind="match"),
            _cell("sorted", ORDER, kind="order"),
            _cell("length", NUMBER, kind="number"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    (root / "source/ps1").mkdir(parents=True)
    (root / "source/ps1/table.csv").write_text("1,2\n")
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    nbformat.write(node, root / "source/ps1/numbers.ipynb")
    course = open_course(root)
    (root / "release/ps1").mkdir(parents=True)
    (root / "release/ps1/table.csv").write_text("1,2\n")
    released = read_assignment(course, "ps1").notebook("numbers").released
    nbformat.write(released, root / "release/ps1/numbers.ipynb")
    return course


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Course:
    return _make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def do(course, tmp_path):
    """Hand in what a recipe says; return the folder."""

    def do(toml: str, student: str = "kim") -> Path:
        (tmp_path / f"{student}.toml").write_text(f'about = "x"\n{toml}', encoding="utf-8")
        for folder in (course.root / "submitted").glob("*/*"):
            folder.rename(tmp_path / f"old-{len(list(tmp_path.iterdir()))}")
        hand_in(course, *read_recipes(tmp_path), due=DUE)
        return course.root / "submitted" / student / "ps1"

    return do


def _read(folder: Path):
    return nbformat.read(folder / "numbers.ipynb", as_version=4)


def _source(folder: Path, name: str) -> str:
    return next(cell.source for cell in _read(folder).cells if cell.id == name)


def test_the_reference_fills_in_every_answer(do):
    """A recipe without a word hands in the solution, without its marks, tolerances and explanations."""
    folder = do("")
    assert _source(folder, "double") == "def double(x):\n    return 2 * x"
    assert "- [x] apple, green" in _source(folder, "fruit")
    assert "| sky | B |" in _source(folder, "colours")
    assert [line for line in _source(folder, "sorted").split("\n") if line[:1].isdigit()] == [
        "1) one", "2) two", "3) three",
    ]  # fmt: skip
    assert "Answer: 80 mm" in _source(folder, "length")
    assert "Measured" not in _source(folder, "length")
    assert (folder / "table.csv").read_text() == "1,2\n"


def test_blank_is_what_was_released(do, course):
    """A blank hand-in holds the released notebook, cell by cell."""
    released = nbformat.read(course.root / "release/ps1/numbers.ipynb", as_version=4)
    assert _read(do('start = "blank"')).cells == released.cells


def test_unanswered_cells_stay_as_they_were_released(do):
    """Patterns name cells by grade_id, or by assignment, notebook and grade_id."""
    folder = do('unanswered = ["doub*", "ps1/*/fruit"]')
    assert "raise NotImplementedError" in _source(folder, "double")
    assert "[x]" not in _source(folder, "fruit")
    assert "Answer: 80" in _source(folder, "length")


def test_answers_are_given_by_a_part_of_their_text(do):
    """Options, rows and lines are found by a part that no other has."""
    folder = do(
        '[answers]\ndouble = "double = abs"\nfruit = ["stone", "brick"]\nlength = 7\n'
        'colours = { sky = "A" }\nsorted = ["three", "two", "one"]'
    )
    assert _source(folder, "double") == "double = abs"
    assert [line for line in _source(folder, "fruit").split("\n") if "[x]" in line] == [
        "- [x] stone", "- [x] brick",
    ]  # fmt: skip
    assert "Answer: 7" in _source(folder, "length")
    assert "| sky | A |" in _source(folder, "colours")
    assert "| blood |   |" in _source(folder, "colours")
    assert _source(folder, "sorted").index("three") < _source(folder, "sorted").index("one")


def test_a_later_answer_wins(do):
    """Where several patterns fit a cell, the last one counts."""
    assert _source(do('[answers]\n"*ouble" = "a"\ndouble = "b"'), "double") == "b"


def test_the_hand_in_has_a_time(do):
    """Lateness counts from the deadline, in UTC."""
    folder = do("late_hours = 25.5")
    assert (folder / "timestamp.txt").read_text() == "2026-03-21 19:30:00.000000 UTC\n"


def test_acts_on_cells(do):
    """Cells can be doubled, deleted, moved, reworded, retyped, forged, and given outputs."""
    folder = do(
        """
        [[acts]]
        act = "duplicate"
        cell = "double"
        text = "double = 3"
        [[acts]]
        act = "delete"
        cell = "length"
        [[acts]]
        act = "move"
        cell = "sorted"
        to = "start"
        [[acts]]
        act = "edit"
        cell = "fruit"
        find = "Which"
        put = "What"
        [[acts]]
        act = "retype"
        cell = "colours"
        to = "raw"
        [[acts]]
        act = "forge"
        cell = "double-test"
        metadata = { nbgrader = { points = 99 }, tags = ["skip-execution"] }
        [[acts]]
        act = "show"
        cell = "double-test"
        html = "<b>1</b>"
        times = 2
        [[acts]]
        act = "rewrite"
        cell = "title"
        text = "mine"
        """
    )
    cells = {cell.id: cell for cell in _read(folder).cells}
    assert list(cells) == ["sorted", "title", "double", "double-copy", "double-test", "fruit", "colours"]
    assert cells["double-copy"].source == "double = 3"
    assert cells["double-copy"].metadata == cells["double"].metadata
    assert cells["fruit"].source.startswith("**What is a fruit?**")
    assert cells["colours"].cell_type == "raw"
    assert cells["double-test"].metadata.nbgrader.points == 99
    assert cells["double-test"].metadata.nbgrader.grade
    assert cells["double-test"].outputs[0].data["text/html"] == "<b>1</b><b>1</b>"
    assert cells["title"].source == "mine"


def test_acts_on_notebooks(do):
    """Cells of the student's own can be added, and all metadata removed."""
    folder = do(
        """
        [[acts]]
        act = "insert"
        after = "double"
        text = "1 / 0"
        [[acts]]
        act = "insert"
        kind = "markdown"
        text = "the end"
        [[acts]]
        act = "strip-metadata"
        """
    )
    node = _read(folder)
    assert [cell.source for cell in node.cells][2::6] == ["1 / 0", "the end"]
    assert node.metadata == {}
    assert not any(cell.metadata for cell in node.cells)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ('act = "cut"', "is not JSON"),
        ('act = "link"\nto = "table.csv"', "link"),
        ('act = "leave-out"', "missing"),
    ],
)
def test_acts_that_break_the_file(do, act, words):
    """A notebook can be cut, be a link, or be missing: then it cannot be graded."""
    folder = do(f'[[acts]]\nnotebook = "numbers"\n{act}')
    with pytest.raises(Ungradable, match=words):
        read_notebook(folder / "numbers.ipynb")


def test_a_byte_order_mark_and_files_beside_the_notebook(do):
    """Files can be saved with a byte order mark, and others put beside them."""
    folder = do(
        '[[acts]]\nact = "byte-order-mark"\nnotebook = "ps1/numbers"\n'
        '[[acts]]\nact = "add-file"\nname = "scipy/__init__.py"\ntext = "#"\ntimes = 3'
    )
    assert (folder / "numbers.ipynb").read_bytes().startswith(b"\xef\xbb\xbf")
    assert len(read_notebook(folder / "numbers.ipynb").cells) == 7
    assert (folder / "scipy/__init__.py").read_text() == "###"


def test_all_faults_of_all_recipes_are_told_at_once(tmp_path):
    """Each fault is told with its file and its key."""
    (tmp_path / "a.toml").write_text('start = "empty"\nlate_hours = true\nodd = 1\n[answers]\nx = { y = 1 }')
    (tmp_path / "b.toml").write_text("this is no TOML")
    (tmp_path / "c.toml").write_text(
        'about = "c"\n[[acts]]\nact = "edit"\ncell = "x"\nfind = 1\n[[acts]]\nact = "fly"\n'
        '[expected.ps1]\nothers = "some"\nitems = { x = "1" }'
    )
    with pytest.raises(AuthorError) as caught:
        read_recipes(tmp_path)
    told = {(Path(fault.file).name, fault.cell) for fault in caught.value.faults}
    assert told == {
        *(("a.toml", key) for key in ("about", "start", "late_hours", "odd", "answers.x")),
        ("b.toml", ""),
        *(("c.toml", key) for key in ("acts[1].find", "acts[1].put", "acts[2].act")),
        *(("c.toml", f"expected.ps1.{key}") for key in ("others", "items.x", "score")),
    }


def test_what_fits_nothing_is_a_fault(do, course):
    """Names that the course does not have are told, and nothing is written."""
    with pytest.raises(AuthorError) as caught:
        do(
            'unanswered = ["fruits"]\n[answers]\nnone = "x"\nfruit = "e"\ncolours = "A"\n'
            '[[acts]]\nact = "delete"\ncell = "x"\n'
            '[[acts]]\nact = "edit"\ncell = "title"\nfind = "y"\nput = "z"\n'
            '[[acts]]\nact = "add-file"\nname = "../x"\ntext = ""'
        )
    keys = [fault.cell for fault in caught.value.faults]
    answers = ["answers.colours", "answers.fruit", "answers.none"]
    assert sorted(keys) == ["acts[1]", "acts[2]", "acts[3]", *answers, "unanswered.fruits"]
    assert not list((course.root / "submitted").glob("kim/*"))


def test_nothing_is_overwritten(do, course):
    """What somebody handed in already stays there."""
    folder = do("")
    before = (folder / "numbers.ipynb").read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        hand_in(course, Recipe("lee", "x"), Recipe("kim", "x", start="blank"))
    assert (folder / "numbers.ipynb").read_bytes() == before
    assert not (course.root / "submitted/lee").exists()


def test_an_assignment_has_to_be_released_first(tmp_path):
    """Without a release there is nothing that a student could begin with."""
    course = _make_course(tmp_path)
    (tmp_path / "release/ps1/numbers.ipynb").unlink()
    with pytest.raises(UsageError, match="fairmark release ps1"):
        hand_in(course, Recipe("kim", "x"))


def test_every_act_is_told_in_one_line():
    """The docstring of an act is its manual."""
    assert all(function.__doc__ and "\n" not in function.__doc__ for function, _ in ACTS.values())


def test_reference_answers_are_marked_as_right(do, course):
    """What the reference puts into quiz cells gets all points."""
    folder = do("")
    sources = read_assignment(course, "ps1").notebook("numbers").node.cells
    for full, handed in zip(sources, _read(folder).cells, strict=True):
        settings = full.metadata.get("fairmark")
        if settings:
            question = quiz.read_question(
                full.source, id=full.id, points=1, settings=json.loads(json.dumps(settings))
            )
            assert quiz.mark(question, quiz.read_answer(question, handed.source)).score == 1
