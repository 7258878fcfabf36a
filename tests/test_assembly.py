"""Whatever a student did to a notebook, each of the instructor's cells is there once and in order."""

import base64
import random
import zlib
from copy import deepcopy

import nbformat
import pytest
from courses import answer, check, code, make_course, markdown, notebook, question, task, written
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import compute_checksum

from fairmark.assembly import assemble, find_untouched, read_questions, to_notebook
from fairmark.authoring import read_assignment
from fairmark.errors import Ungradable
from fairmark.seating import Role

WORK = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + zlib.compress(b"0")).decode()


def notebook_of(course):
    (found,) = read_assignment(course, "ps1").notebooks
    return found


@pytest.fixture(scope="module")
def instructor(tmp_path_factory):
    """The instructor's notebook with a cell of each kind."""
    cells = [
        markdown("# Numbers", "title"),
        code("import math", "imports"),
        code("LIMIT = 3", "limit", grade_id="limit", locked=True),
        answer(),
        code("mean([1, 2])", "try"),
        check(),
        question(),
        written(),
        answer("application = mean([1])", "application", grade=True, points=2),
        task(),
    ]
    return notebook_of(make_course(tmp_path_factory.mktemp("course"), {"numbers": notebook(*cells)}))


@pytest.fixture
def handed(instructor):
    """What a student got, before any work: the release without its hidden tests."""
    node = deepcopy(instructor.released)
    node.cells[5].source = "assert mean([1, 2, 3]) == 2"
    return node


def cell_of(assembled, grade_id):
    (found,) = [cell for cell in assembled.cells if cell.grade_id == grade_id]
    return found


def order(assembled):
    return [cell.cell_id for cell in assembled.cells if cell.role is not Role.EXTRA]


def texts(assembled):
    return [cell.source for cell in assembled.cells]


IN_ORDER = ["title", "imports", "limit", "mean", "try", "mean-test", "colours", "why", "application", "draw"]


def test_every_cell_has_the_role_that_its_metadata_says(instructor, handed):
    """Text, instructor's code, answers, tests, quizzes, written answers and tasks are told apart."""
    roles = [cell.role.value for cell in assemble(instructor, handed).cells]
    assert roles == [
        *("text", "instructor", "instructor", "answer", "instructor"),
        *("test", "quiz", "manual", "manual", "task"),
    ]


def test_the_untouched_release_is_unanswered_and_needs_no_repair(instructor, handed):
    """Handing in the release as it is gives no note and no answered cell."""
    assembled = assemble(instructor, handed)
    assert assembled.notes == ()
    assert not any(cell.answered for cell in assembled.cells)


def test_answers_are_set_in_and_the_reference_is_nowhere(instructor, handed):
    """The student's text stands in answer cells; no room gets to see the reference solution."""
    handed.cells[3].source = WORK
    assembled = assemble(instructor, handed)
    cell = cell_of(assembled, "mean")
    assert (cell.source, cell.trusted, cell.answered) == (WORK, "", True)
    assert not any("fmean" in text + cell.trusted for cell in assembled.cells for text in [cell.source])


def test_tests_are_the_instructors_with_hidden_parts(instructor, handed):
    """A changed test cell is put back, and that is told."""
    handed.cells[5].source = "pass"
    assembled = assemble(instructor, handed)
    cell = cell_of(assembled, "mean-test")
    assert cell.source == cell.trusted == instructor.node.cells[5].source
    assert "mean([2, 4, 8, 16])" in cell.trusted
    assert any("read-only" in note for note in assembled.notes)


def test_a_released_cell_with_nothing_but_hidden_tests_was_not_changed(tmp_path):
    """It is handed in as empty as it was released: there is nothing to tell."""
    hidden = "### BEGIN HIDDEN TESTS\nassert mean([2]) == 2\n### END HIDDEN TESTS"
    course = make_course(tmp_path, {"numbers": notebook(answer(), check(hidden))})
    handed = notebook(answer(WORK), check(""))
    assert assemble(read_assignment(course, "ps1").notebook("numbers"), handed).notes == ()


def test_quiz_cells_keep_the_instructors_text_with_the_students_tick(instructor, handed):
    """Only the tick of a quiz cell is the student's, whatever else was edited."""
    handed.cells[6].source = (
        handed.cells[6].source.replace("[ ] blue", "[x] blue").replace("**Which", "**Who")
    )
    cell = cell_of(assemble(instructor, handed), "colours")
    assert "- [x] blue" in cell.source
    assert "Which of these" in cell.source
    assert "[x] seven" in cell.trusted
    assert cell.answered


def test_deleted_cells_come_back_unanswered(instructor, handed):
    """A missing notebook cell is put back, and the student is told which."""
    handed.cells = [cell for cell in handed.cells if cell.id not in ("colours", "mean-test", "try")]
    assembled = assemble(instructor, handed)
    assert order(assembled) == IN_ORDER
    assert cell_of(assembled, "colours").answered is False
    assert any("colours" in note for note in assembled.notes)
    assert any("mean-test" in note for note in assembled.notes)


def test_a_deleted_answer_does_not_overwrite_what_was_written_elsewhere(instructor, handed):
    """The stub is not put back: a function in a cell of the student's own stays the last definition."""
    handed.cells[3] = code(WORK, "own")
    assembled = assemble(instructor, handed)
    assert cell_of(assembled, "mean").source == ""
    assert WORK in texts(assembled)


def test_moved_cells_go_back_to_their_place(instructor, handed):
    """The instructor's order holds, even when everything was reversed."""
    handed.cells.reverse()
    assert order(assemble(instructor, handed)) == IN_ORDER


def test_retyped_cells_are_put_right(instructor, handed):
    """An answer that became Markdown is code again and keeps its text."""
    handed.cells[3] = markdown(WORK, "mean", grade_id="mean", solution=True)
    assembled = assemble(instructor, handed)
    assert (cell_of(assembled, "mean").cell_type, cell_of(assembled, "mean").source) == ("code", WORK)
    assert any("markdown" in note for note in assembled.notes)


def test_the_last_of_two_answers_wins_and_the_first_still_runs_before_it(instructor, handed):
    """As in nbgrader, the last cell with an id is graded; the other one becomes the student's own."""
    first, last = deepcopy(handed.cells[3]), handed.cells[3]
    first.source, first.id, last.source = "helper = 1", "copy", WORK
    handed.cells.insert(3, first)
    assembled = assemble(instructor, handed)
    assert cell_of(assembled, "mean").source == WORK
    places = {cell.source: number for number, cell in enumerate(assembled.cells)}
    assert places["helper = 1"] < places[WORK]
    assert any("more than once" in note for note in assembled.notes)


def test_an_untouched_copy_neither_wins_nor_runs(instructor, handed):
    """A copied stub behind the answer cannot take the answer away."""
    copy = deepcopy(handed.cells[3])
    handed.cells[3].source = WORK
    handed.cells.append(copy)
    assembled = assemble(instructor, handed)
    assert cell_of(assembled, "mean").source == WORK
    assert len(assembled.cells) == len(IN_ORDER)


def test_cells_are_found_by_cell_id_when_nbgraders_metadata_is_gone(instructor, handed):
    """An editor that drops metadata costs nobody an answer."""
    handed.cells[3].source = WORK
    for cell in handed.cells:
        cell.metadata = {}
    assembled = assemble(instructor, handed)
    assert cell_of(assembled, "mean").source == WORK
    assert len(assembled.cells) == len(IN_ORDER)


def test_quizzes_are_found_by_their_text_when_all_names_are_gone(instructor, handed):
    """A question that was copied into a new notebook counts."""
    tick = handed.cells[6].source.replace("[ ] seven", "[x] seven")
    assembled = assemble(instructor, notebook(markdown(tick, "elsewhere")))
    assert cell_of(assembled, "colours").answered
    assert len(assembled.cells) == len(IN_ORDER)


def test_an_editable_cell_keeps_the_students_text_beside_the_instructors(instructor, handed):
    """The student's room runs the student's version, the examiner's room the instructor's."""
    handed.cells[1].source = "import math\nimport json"
    cell = assemble(instructor, handed).cells[1]
    assert (cell.role, cell.source, cell.trusted) == (
        Role.INSTRUCTOR,
        "import math\nimport json",
        "import math",
    )


def test_editable_cells_without_names_are_found_by_likeness(instructor, handed):
    """Notebooks of old formats have no cell ids: an edited cell between the same neighbours is the same."""
    handed.cells[4].source = "mean([1, 2, 5])"
    for cell in handed.cells:
        del cell["id"]
    assembled = assemble(instructor, handed)
    assert "mean([1, 2, 5])" in [cell.source for cell in assembled.cells if cell.role is Role.INSTRUCTOR]
    assert not [cell for cell in assembled.cells if cell.role is Role.EXTRA]


def test_own_cells_stay_behind_the_cell_they_followed(instructor, handed):
    """A scratch cell runs where the student put it, and nothing of its metadata is believed."""
    scratch = code("print(1)", "own", grade_id="free-points", grade=True, points=100)
    scratch.metadata["tags"] = ["skip-execution"]
    handed.cells.insert(4, scratch)
    assembled = assemble(instructor, handed)
    extra = assembled.cells[4]
    assert (extra.role, extra.source, extra.metadata, extra.trusted) == (Role.EXTRA, "print(1)", {}, "")
    assert extra.points == 0


def test_metadata_and_points_are_the_instructors(instructor, handed):
    """Tags, points, flags and ids that were changed in a submission are ignored."""
    for cell in handed.cells:
        cell.metadata["tags"] = ["skip-execution"]
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader |= {
                "points": 1000,
                "locked": False,
                "solution": True,
                "checksum": "0" * 32,
            }
    assembled = assemble(instructor, handed)
    assert [cell.points for cell in assembled.cells] == [0, 0, 0, 0, 0, 4, 2, 3, 2, 5]
    assert not any("tags" in cell.metadata for cell in assembled.cells)


def test_pictures_are_kept_in_written_answers_only(instructor, handed):
    """A photo of a derivation counts; scripts in its place, and pictures elsewhere, do not."""
    handed.cells[7].source = "See ![](attachment:a.png)"
    handed.cells[7].attachments = {"a.png": {"image/png": PIXEL}, "b.svg": {"image/svg+xml": "<svg/>"}}
    handed.cells[6].attachments = {"c.png": {"image/png": PIXEL}}
    assembled = assemble(instructor, handed)
    assert cell_of(assembled, "why").attachments == {"a.png": {"image/png": PIXEL}}
    assert cell_of(assembled, "colours").attachments == {}
    assert any("not a picture" in note for note in assembled.notes)


def test_a_missing_notebook_is_blank(instructor):
    """Nothing handed in gives the instructor's cells without answers and says so."""
    assembled = assemble(instructor, None)
    assert order(assembled) == IN_ORDER
    assert assembled.notes == ("The notebook was not handed in.",)


def test_names_of_the_reference_come_from_the_student_but_imports_do_not(instructor, handed):
    """A test may use what the reference solution binds; modules it imports are the examiner's own."""
    cell = cell_of(assemble(instructor, handed), "mean-test")
    assert cell.student_names == {"mean"}
    assert cell.solution_imports == {}


def test_a_name_that_the_instructor_binds_again_is_the_instructors(tmp_path):
    """Between two tests an instructor's cell may take a name over."""
    cells = [
        answer(),
        check("assert mean([1])"),
        code("mean = None", "again"),
        check("assert not mean", "second"),
    ]
    assembled = assemble(notebook_of(make_course(tmp_path, {"n": notebook(*cells)})), None)
    assert [cell.student_names for cell in assembled.cells if cell.role is Role.TEST] == [
        {"mean"},
        frozenset(),
    ]


def test_the_notebook_is_valid_for_jupyter_and_nbgrader(instructor, handed):
    """Formgrader and feedback get what they expect, and untouched answers are seen as such."""
    handed.cells[3].source = WORK
    handed.cells.insert(4, code("1 + 1", "own"))
    assembled = assemble(instructor, handed)
    output = {
        "output_type": "execute_result",
        "execution_count": 3,
        "data": {"text/plain": "2"},
        "metadata": {},
    }
    node = to_notebook(assembled, {4: [output]})
    nbformat.validate(node)
    MetadataValidator().validate_nb(node)
    assert (node.cells[4].outputs, node.cells[4].execution_count) == ([output], 3)
    why = next(cell for cell in node.cells if cell.id == "why")
    assert why.metadata.nbgrader.checksum == compute_checksum(why)
    mean = next(cell for cell in node.cells if cell.id == "mean")
    assert mean.metadata.nbgrader.checksum != compute_checksum(mean)


@pytest.mark.parametrize(
    "work",
    [
        {},
        {"mean": WORK, "application": "", "why": "Because."},
        {"mean": " \n", "why": "YOUR ANSWER HERE ", "draw": "Drawn.", "application": "application = 1"},
        {"colours": "- [x] seven"},
        None,
    ],
)
def test_untouched_cells_are_those_that_nbgraders_checksums_tell(instructor, handed, work):
    """nbgrader writes "No response." where text and checksum are as released, or the text is empty."""
    for cell in handed.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = (work or {}).get(name, cell.source)
    graded = to_notebook(assemble(instructor, handed if work is not None else None))
    answers = [cell for cell in graded.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    assert len(answers) == 4
    assert find_untouched(instructor, graded) == tuple(
        cell.metadata.nbgrader.grade_id
        for cell in answers
        if not cell.source.strip() or cell.metadata.nbgrader.checksum == compute_checksum(cell)
    )


def test_questions_are_read_with_their_keys(instructor):
    """Whoever explains a quiz gets its key from the source."""
    assert [option.right for option in read_questions(instructor)["colours"].options] == [False, True, False]


@pytest.mark.parametrize("cells", [None, {}, "cells", [None] * 6_000])
def test_what_holds_no_cells_is_ungradable(instructor, cells):
    """No list of cells, or far too many, cannot be graded; the message is for the student."""
    node = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
    with pytest.raises(Ungradable, match="cells"):
        assemble(instructor, node)


@pytest.mark.parametrize("metadata", [None, 3, {"kernelspec": []}, {"kernelspec": {"name": [1]}}])
def test_odd_metadata_of_the_notebook_is_not_remarked_on(instructor, handed, metadata):
    """The kernel that a hostile notebook names is nothing, or a few letters."""
    handed["metadata"] = metadata
    assert assemble(instructor, handed).notes == ()


def test_a_kernel_for_another_language_is_told(instructor, handed):
    """A student who changed the kernel learns why nothing works."""
    handed["metadata"] = {"kernelspec": {"name": "ir", "language": "R"}}
    (note,) = assemble(instructor, handed).notes
    assert note == "The notebook was saved with the kernel 'r'; it was graded with Python."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
GRADE_IDS = st.sampled_from([*IN_ORDER, "other", ""])
HOSTILE_CELL = JSON | st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw", "heading"]) | JSON,
        "source": st.lists(st.text(max_size=30)) | st.text(st.characters(), max_size=60) | JSON,
        "id": GRADE_IDS | JSON,
        "metadata": JSON
        | st.fixed_dictionaries({"nbgrader": JSON | st.fixed_dictionaries({"grade_id": GRADE_IDS})}),
        "attachments": JSON | st.dictionaries(st.text(max_size=5), JSON, max_size=2),
        "outputs": JSON,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(HOSTILE_CELL, max_size=12))
def test_hostile_cells_never_raise_and_the_result_is_valid(instructor, cells):
    """Null cells, wrong types and lone surrogates end in a valid notebook, which assembles to itself."""
    node = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
    assembled = assemble(instructor, node)
    assert order(assembled) == IN_ORDER
    made = to_notebook(assembled)
    nbformat.validate(made)
    nbformat.writes(made).encode("utf-8")
    assert len({cell.id for cell in made.cells}) == len(made.cells)
    assert to_notebook(assemble(instructor, made)) == made


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_assembling_twice_changes_nothing(instructor, chance: random.Random):
    """A class that drops, doubles, edits and moves cells: the assembled notebook assembles to itself."""
    node = deepcopy(instructor.released)
    cells = []
    for number, cell in enumerate(node.cells):
        for copy in range(chance.choice([0, 1, 1, 1, 2])):
            twin = deepcopy(cell)
            twin.id = f"{cell.id}-{copy}" if chance.random() < 0.5 else cell.id
            if chance.random() < 0.5:
                twin.source += f"\nx{number} = {copy}"
            cells.append(twin)
        if chance.random() < 0.3:
            cells.append(code(f"own_{number} = 1", f"own-{number}"))
    if chance.random() < 0.3:
        chance.shuffle(cells)
    node.cells = cells
    once = to_notebook(assemble(instructor, node))
    assert to_notebook(assemble(instructor, once)) == once
    assert [cell.id for cell in once.cells if cell.id in IN_ORDER] == IN_ORDER
