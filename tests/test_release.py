"""A release proves itself, and the repository's release is what its source builds."""

import shutil
from pathlib import Path

import nbformat
import pytest
from courses import HIDDEN, MEAN, answer, cells, check, code, make_course, notebook, question

from fairmark.course import open_course
from fairmark.errors import AuthorError, UsageError
from fairmark.release import release_assignment

ROOT = Path(__file__).parent.parent


def faults_of(course):
    with pytest.raises(AuthorError) as caught:
        release_assignment(course, "ps1")
    return {(fault.file, fault.cell): fault.message for fault in caught.value.faults}


def test_a_good_release_is_proved(tmp_path):
    """Blank gives nothing, the reference everything but what a person grades."""
    course = make_course(tmp_path)
    release = release_assignment(course, "ps1")
    [proof] = release.proofs
    assert (proof.blank, proof.reference, proof.max_score, proof.written) == (0, 6, 6, 8)
    node = nbformat.read(course.release("ps1") / "numbers.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in node.cells)
    assert not [word for word in ("[x]", "Seven is", "7.5", "fmean", "Because") if word in text]


def test_all_faults_of_the_source_are_told_at_once(tmp_path):
    """Each with its file and its cell; nothing is released."""
    bad = notebook(answer(), check(), question("No key\n\n- [ ] a\n- [ ] b"), question(grade_id="mean-test"))
    course = make_course(
        tmp_path, {"bad": bad, "worse": notebook(answer(MEAN.replace("    ### END SOLUTION", "")))}
    )
    faults = faults_of(course)
    assert {file for file, _ in faults} == {"source/ps1/bad.ipynb", "source/ps1/worse.ipynb"}
    assert len(faults) >= 3
    assert not course.release("ps1").exists()


def test_a_blank_notebook_that_scores_is_a_fault(tmp_path):
    """A test that passes without an answer is told with its cell."""
    faults = faults_of(make_course(tmp_path, {"n": notebook(answer(), check("pass"))}))
    assert "left blank, it scores 4 of 4" in faults["source/ps1/n.ipynb", "mean-test"]


def test_a_reference_solution_that_fails_is_a_fault(tmp_path):
    """The message says what the test said."""
    wrong = notebook(
        answer(), check(HIDDEN.replace("7.5", "7.6").replace("== 7.6", "== 7.6, 'not the mean'"))
    )
    assert "not the mean" in faults_of(make_course(tmp_path, {"n": wrong}))["source/ps1/n.ipynb", "mean-test"]


def test_a_test_that_cannot_run_is_a_fault(tmp_path):
    """A module that is missing is told by its name."""
    node = notebook(answer(), check(HIDDEN.replace("assert mean([2", "import no_such\nassert mean([2")))
    assert "no_such" in faults_of(make_course(tmp_path, {"n": node}))["source/ps1/n.ipynb", "mean-test"]


def test_an_unknown_assignment_is_wrong_use(tmp_path):
    """The message names those that there are."""
    with pytest.raises(UsageError, match="ps1"):
        release_assignment(make_course(tmp_path), "ps2")


def test_a_course_without_fairmark_in_its_configuration_can_be_released(tmp_path):
    """`fairmark release` switches itself on."""
    course = make_course(tmp_path, {"n": notebook(*cells(), code("1", "more"))}, enable=False)
    release_assignment(course, "ps1")
    node = nbformat.read(course.release("ps1") / "n.ipynb", as_version=4)
    assert "- [ ] seven" in next(cell.source for cell in node.cells if cell.id == "colours")


def _read(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    "assignment", sorted(path.name for path in (ROOT / "source").iterdir() if path.is_dir())
)
def test_the_repositorys_release_is_what_its_source_builds(assignment, tmp_path):
    """`release/` is made, never edited; its own proof holds."""
    for name in ("source", "autograder"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    release = release_assignment(open_course(tmp_path), assignment)
    assert all(proof.blank == 0 and proof.reference == proof.max_score for proof in release.proofs)
    made, kept = (_read(root / "release" / assignment) for root in (tmp_path, ROOT))
    assert kept.keys() == made.keys()
    assert [name for name in made if made[name] != kept[name]] == []
