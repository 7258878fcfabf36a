"""Authors are told all their faults, and what a release gives away."""

import nbformat
import pytest
from courses import (
    HIDDEN,
    QUESTION,
    answer,
    cells,
    check,
    code,
    make_course,
    markdown,
    notebook,
    question,
    write,
)

from fairmark.authoring import read_assignment
from fairmark.errors import AuthorError
from fairmark.faults import faults_of_release, find_faults


def messages(faults):
    return "\n".join(map(str, faults))


def shown(word, **settings):
    cell = check()
    cell.metadata["fairmark"] = {"visibility": word, **settings}
    return cell


def bad_points(points):
    cell = check()
    cell.metadata.nbgrader["points"] = points
    return cell


def old_schema():
    cell = check()
    cell.metadata.nbgrader["schema_version"] = 2
    return cell


def no_name():
    return code("x = 1", "c", grade_id="", solution=True)


def odd_name():
    return code("x = 1", "c", grade_id="a b", solution=True)


def no_points():
    cell = check()
    del cell.metadata.nbgrader["points"]
    return cell


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        ([answer(), answer()], "mean: 2 cells have this grade_id"),
        ([no_points()], "mean-test: has no points"),
        ([shown("soon")], "has the visibility 'soon', which is unknown; known are visible, hidden,"),
        ([shown("hidden", kind="one")], "quiz settings but is no quiz question"),
        ([bad_points(-1)], "negative points"),
        ([bad_points("4")], "points that are no number"),
        ([old_schema()], "nbgrader update"),
        ([check(extra=1)], "nbgrader does not accept"),
        ([no_name()], "cell 1: has no grade_id"),
        ([odd_name()], "nbgrader does not accept"),
        ([answer("### BEGIN SOLUTION\nx = 1")], "begins, but never ends"),
        ([answer("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION")], "begins within another"),
        ([answer("x = 1\n### END SOLUTION")], "ends, but none began"),
        (
            [code("### BEGIN SOLUTION\n### END SOLUTION", "c")],
            "cell 1: has a solution region, but is not an answer",
        ),
        ([check("### BEGIN HIDDEN TESTS\nassert 1")], "hidden-test region begins, but never ends"),
        ([answer(HIDDEN)], "hidden-test region, but is not an automatic test"),
        ([markdown("Why?", "m", grade_id="m", grade=True, points=1)], "automatic test, but Markdown"),
        ([markdown("Why?", "m", grade_id="m", solution=True)], "Markdown without points"),
        ([code("1", "t", grade_id="t", task=True, points=1)], "is a task, but not Markdown"),
        ([question(QUESTION.replace("[x]", "[ ]"))], "colours: "),
        ([markdown("Read.", "m", fairmark={"kind": "one"})], "quiz settings but is not graded"),
    ],
)
def test_an_authors_fault_is_told_with_its_place(tmp_path, faulty, message):
    """Each fault names the file, the cell and what is wrong."""
    course = make_course(tmp_path, {"n": notebook(*faulty)})
    told = messages(find_faults(course, "ps1"))
    assert message in told
    assert "source/ps1/n.ipynb" in told
    with pytest.raises(AuthorError):
        read_assignment(course, "ps1")


def test_all_faults_are_told_at_once(tmp_path):
    """Several notebooks with several faults give one list."""
    broken = {"a": notebook(no_points(), answer("### BEGIN SOLUTION")), "b": notebook(bad_points(-1))}
    course = make_course(tmp_path, broken)
    (course.source("ps1") / "c.ipynb").write_text("{")
    told = messages(find_faults(course, "ps1"))
    for message in ("has no points", "never ends", "negative points", "this is no notebook"):
        assert message in told


def test_names_that_other_systems_cannot_hold_are_faults(tmp_path):
    """Students work on systems that know no colons and no difference of case."""
    course = make_course(tmp_path, {name: notebook(*cells()) for name in ("Week 1", "week 1", "a:b")})
    told = messages(find_faults(course, "ps1"))
    assert "same name" in told
    assert "a:b.ipynb: the name has characters" in told


def test_a_missing_header_is_a_fault(tmp_path):
    """The header notebook that the configuration names has to be there."""
    course = make_course(tmp_path, config='c.IncludeHeaderFooter.header = "source/header.ipynb"')
    assert "source/header.ipynb" in messages(find_faults(course, "ps1"))


def test_a_good_course_has_no_faults(course):
    """Nothing is told about a course that is right."""
    assert find_faults(course, "ps1") == ()


# --- what a release gives away


def leak(course, number, **changes):
    path = course.release("ps1") / "numbers.ipynb"
    node = nbformat.read(path, as_version=4)
    node.cells[number].update(changes)
    write(path, node)
    return messages(faults_of_release(course, read_assignment(course, "ps1"), course.release("ps1")))


def test_a_good_release_gives_nothing_away(released):
    """The release of nbgrader's own command is clean."""
    assert faults_of_release(released, read_assignment(released, "ps1"), released.release("ps1")) == ()


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (3, {"source": "def mean(numbers):\n    return statistics.fmean(numbers)"}, "mean: gives away"),
        (5, {"source": HIDDEN}, "mean-test: gives away"),
        (5, {"source": "### BEGIN HIDDEN TESTS"}, "still holds the mark"),
        (6, {"source": QUESTION}, "colours: still shows the key"),
        (6, {"source": "> Seven is a number, whatever it looks like."}, "colours: gives away"),
        (1, {"outputs": [nbformat.v4.new_output("stream", text="1")]}, "holds outputs"),
        (7, {"source": "Because of the mean."}, "why: gives away"),
        (0, {"metadata": {"note": "assert mean([2, 4, 8, 16]) == 7.5"}}, "gives away"),
        (7, {"attachments": {"proof.png": {"image/png": "iVBORw0KGgo="}}}, "picture of the model answer"),
    ],
)
def test_a_release_that_gives_something_away_is_told(released, number, changes, message):
    """Solutions, hidden tests, keys, explanations and outputs are found cell by cell."""
    assert message in leak(released, number, **changes)


def test_a_file_that_the_solution_has_written_is_told(tmp_path):
    """Who runs the source has it beside the notebook; another text under that name is for the students."""
    text = "name: n\ndependencies:\n- numpy<2"
    node = notebook(answer(f"%%writefile environment.yml\n{text}", "file"), check("assert 0", "file-test"))
    course = make_course(tmp_path, {"n": node})
    write(course.release("ps1") / "n.ipynb", read_assignment(course, "ps1").notebook("n").released)
    found = course.release("ps1") / "environment.yml"

    def told():
        return messages(faults_of_release(course, read_assignment(course, "ps1"), course.release("ps1")))

    words = "environment.yml: is what the solution in n.ipynb writes"
    assert words not in told()
    found.write_text("name: n\ndependencies: []\n")
    assert words not in told()
    found.write_text(f"{text}\n")
    assert words in told()


def test_forgotten_notebooks_in_a_release_are_told(released):
    """A checkpoint may hold what the release does not."""
    write(released.release("ps1") / ".ipynb_checkpoints" / "numbers.ipynb", notebook())
    assert "not in the source" in messages(
        faults_of_release(released, read_assignment(released, "ps1"), released.release("ps1"))
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}},
        {"language_info": {"name": "julia"}},
        {"kernelspec": {"name": "octave", "display_name": "Octave"}},
    ],
)
def test_another_language_is_a_fault_of_the_notebook(tmp_path, metadata):
    """Code that fairmark cannot run is refused with words; it would give everybody a zero."""
    node = notebook(*cells())
    node["metadata"] = metadata
    course = make_course(tmp_path, {"numbers": node})
    assert "fairmark grades Python alone" in messages(find_faults(course, "ps1"))


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "my-env", "display_name": "My course", "language": "python"}},
        {"kernelspec": {"name": "my-env", "display_name": "Python (my course)"}},
        {"kernelspec": {"name": "my-env", "display_name": "Mine"}, "language_info": {"name": "ipython"}},
    ],
)
def test_any_kernel_for_python_will_do(tmp_path, metadata):
    """Environments have names of their own, and old notebooks say less."""
    node = notebook(*cells())
    node["metadata"] = metadata
    assert find_faults(make_course(tmp_path, {"numbers": node}), "ps1") == ()
