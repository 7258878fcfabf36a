"""The instructor's notebooks are prepared as nbgrader's own commands do it."""

import shutil
from pathlib import Path

import nbformat
import nbgrader
from courses import cells, code, make_course, notebook, question, run_nbgrader, write, written

from fairmark.authoring import read_assignment
from fairmark.course import open_course


def test_released_cells_lack_solutions_and_keys_but_not_hidden_tests(course):
    """The two versions of a notebook go cell by cell and have the same checksums."""
    (made,) = read_assignment(course, "ps1").notebooks
    assert [cell.id for cell in made.node.cells] == [cell.id for cell in made.released.cells]
    full, released = (nbformat.writes(node) for node in (made.node, made.released))
    for secret in ("fmean", "[x] seven", "Seven is a number", "Because of the mean"):
        assert secret in full
        assert secret not in released
    assert "7.5" in released
    assert made.released.cells[6].metadata.fairmark == {"kind": "one"}
    for one, other in zip(made.node.cells, made.released.cells, strict=True):
        assert one.metadata.get("nbgrader", {}).get("checksum") == other.metadata.get("nbgrader", {}).get(
            "checksum"
        )


def test_what_the_gradebook_keeps_is_what_nbgrader_writes(released):
    """`released` without hidden tests is, cell by cell, what nbgrader's own command gives to students."""
    handed = nbformat.read(released.release("ps1") / "numbers.ipynb", as_version=4)
    (made,) = read_assignment(released, "ps1").notebooks
    assert [(cell.id, cell.source) for cell in handed.cells] == [
        (cell.id, cell.source.split("\n### BEGIN HIDDEN")[0]) for cell in made.released.cells
    ]
    assert handed.cells[6].metadata == made.released.cells[6].metadata


def test_nbgraders_own_example_course_is_read(tmp_path):
    """The course of ``nbgrader quickstart``, with its header notebook and cells without ids, works."""
    source = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide" / "source"
    shutil.copytree(source / "ps1", tmp_path / "source" / "ps1")
    shutil.copy(source / "header.ipynb", tmp_path / "source")
    (tmp_path / "nbgrader_config.py").write_text(
        'get_config().IncludeHeaderFooter.header = "source/header.ipynb"\n'
    )
    assignment = read_assignment(open_course(tmp_path), "ps1")
    first, second = assignment.notebooks
    assert (first.name, second.name) == ("problem1", "problem2")
    assert first.node.cells[1].source.startswith("NAME =")
    assert [path.name for path in assignment.files] == ["jupyter.png"]
    ids = [cell.id for cell in first.node.cells]
    assert len(set(ids)) == len(ids)
    assert assignment == read_assignment(open_course(tmp_path), "ps1")


def test_the_digest_changes_with_notebooks_and_files(course):
    """A regrade is due when a test, a key or a data file changed."""
    before = read_assignment(course, "ps1").sha256
    assert read_assignment(course, "ps1").sha256 == before
    (course.source("ps1") / "data.csv").write_text("1,2\n")
    with_file = read_assignment(course, "ps1").sha256
    write(course.source("ps1") / "numbers.ipynb", notebook(*cells(), question(grade_id="more")))
    assert len({before, with_file, read_assignment(course, "ps1").sha256}) == 3


def test_copied_cells_get_ids_that_stay(tmp_path):
    """Two cells with one cell id, as copying makes them, get the same ids whenever the source is read."""
    course = make_course(tmp_path, {"n": notebook(code("x = 1", "twin"), code("x = 2", "twin"))})
    first, second = (read_assignment(course, "ps1").notebooks[0].released for _ in range(2))
    assert first == second
    assert len({cell.id for cell in first.cells}) == 2


def test_pictures_of_model_answers_are_not_released(tmp_path):
    """nbgrader empties a written answer but leaves what is attached to it; we do not."""
    model = written("See ![](attachment:proof.png)")
    model["attachments"] = {"proof.png": {"image/png": "iVBORw0KGgo="}}
    course = make_course(tmp_path, {"n": notebook(model)})
    (made,) = read_assignment(course, "ps1").notebooks
    assert made.released.cells[0].attachments == {}
    run_nbgrader(course.root, "generate_assignment", "ps1")
    assert "proof.png" not in (course.release("ps1") / "n.ipynb").read_text()
