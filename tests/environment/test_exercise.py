"""An exercise is a few lines of an author's: here one about pandas, with an index of six releases."""

import json

import pytest

from fairmark.environment import Clash, Exercise, read_index

RELEASES = {
    "pandas": {
        "1.5.3": {"python": ">=3.8", "wheels": ["3.8", "3.9", "3.10", "3.11"], "requires": ["numpy>=1.20.3"]},
        "2.2.0": {
            "python": ">=3.9",
            "wheels": ["3.9", "3.10", "3.11", "3.12"],
            "requires": ["numpy>=1.22.4"],
        },
        "2.1.9": {"python": ">=3.9", "yanked": True},
    },
    "numpy": {
        "1.26.4": {"python": ">=3.9", "wheels": ["3.9", "3.10", "3.11", "3.12"]},
        "2.1.0": {"python": ">=3.10", "wheels": ["3.10", "3.11", "3.12"]},
    },
    "six": {"1.16.0": {}},
}


@pytest.fixture(scope="module")
def index_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "pandas.json"
    pythons = ["3.9.25", "3.10.20", "3.11.15", "3.12.13"]
    path.write_text(json.dumps({"made": "2026-11-26", "pythons": pythons, "packages": RELEASES}))
    return path


@pytest.fixture(scope="module")
def append(index_file):
    return Exercise(
        "DataFrame.append still exists",
        index=read_index(index_file),
        needs={"pandas": "<2"},
        otherwise="AttributeError: 'DataFrame' object has no attribute 'append'",
        clashes=[Clash("pandas<2.2.2", "numpy>=2", "ValueError: numpy.dtype size changed", "Bound numpy.")],
    )


STEPS = ("readable", "solvable", "version", "python", "imports", "open")


def judge(exercise, text, name="requirements.txt", **beside):
    """Return the steps that were passed, with the report."""
    files = {name: text.encode()} | {key: value.encode() for key, value in beside.items()}
    report = exercise.judge(name, files)
    passed = [step for step, check in zip(STEPS, report.checks, strict=True) if check.status == "passed"]
    return passed, report


def check(report, step):
    return report.checks[STEPS.index(step)]


def test_a_file_that_works_gets_everything(append):
    """And the report says that it is about an environment, and what would be installed."""
    passed, report = judge(append, "pandas<2\nnumpy<2\n", **{".python-version": "3.11"})
    assert passed == list(STEPS)
    assert (report.score, report.max_score, report.kind) == (9, 9, "environment")
    assert report.title == "DataFrame.append still exists: requirements.txt"
    assert check(report, "solvable").message == "Installed would be Python 3.11, numpy 1.26.4, pandas 1.5.3."


def test_the_near_miss_gets_a_part_and_a_hint(append):
    """pandas is bounded, numpy is not: its wheel meets numpy 2 and dies at import."""
    passed, report = judge(append, "pandas<2", **{"runtime.txt": "python-3.11"})
    assert passed == ["readable", "solvable", "version", "python"]
    assert report.score == 5
    failed = check(report, "imports")
    assert "pandas 1.5.3 and numpy 2.1.0" in failed.message
    assert "numpy.dtype size changed" in failed.message
    assert failed.hint == "Bound numpy."
    assert check(report, "open").message.startswith("Not looked at")


def test_without_a_python_the_newest_is_taken(append):
    """A requirements.txt cannot say which one; the hint tells where it is said."""
    passed, report = judge(append, "pandas<2\nnumpy<2")
    assert passed == ["readable", "solvable", "version"]
    failed = check(report, "python")
    assert "no wheel of pandas 1.5.3 for Python 3.12" in failed.message
    assert "runtime.txt" in failed.hint
    assert check(report, "imports").message == "What cannot be installed cannot be imported."


def test_a_python_that_was_chosen_too_new_is_told_otherwise(append):
    """Each kind of file has its own place for it."""
    for beside, name, text, hint in (
        ({".python-version": "3.12"}, "requirements.txt", "pandas<2\nnumpy<2", "file beside it"),
        ({}, "pyproject.toml", PROJECT % ("", '"pandas<2", "numpy<2"'), "requires-python"),
    ):
        _, report = judge(append, text, name, **beside)
        assert hint in check(report, "python").hint


PROJECT = '[project]\nname = "n"\nversion = "1"\n%s\ndependencies = [%s]\n'


def test_a_pyproject_is_solved_for_the_newest_python_that_it_admits(append):
    """With an upper bound it works, without one it does not."""
    bounds = 'requires-python = "%s"'
    passed, _ = judge(append, PROJECT % (bounds % ">=3.9,<3.12", '"pandas<2", "numpy<2"'), "pyproject.toml")
    assert passed == list(STEPS)
    passed, _ = judge(append, PROJECT % (bounds % ">=3.9", '"pandas<2", "numpy<2"'), "pyproject.toml")
    assert passed == ["readable", "solvable", "version"]
    passed, report = judge(append, PROJECT % (bounds % ">=4", '"pandas<2"'), "pyproject.toml")
    assert passed == ["readable"]
    assert "No Python fits >=4" in check(report, "solvable").message


def test_the_broken_state_itself_is_worth_little(append):
    """Two points of nine for a file that is read and solved, and changes nothing."""
    passed, report = judge(append, "pandas")
    assert passed == ["readable", "solvable"]
    assert report.score == 2
    assert "pandas 2.2.0 would be installed" in check(report, "version").message
    assert "has no attribute 'append'" in check(report, "version").message


def test_a_file_that_does_not_name_the_package_gets_nothing(append):
    """A slip of the pen is recognised."""
    passed, report = judge(append, "panda<2\nnumpy<2")
    assert passed == []
    assert report.score == 0
    assert "does not name pandas" in check(report, "readable").message
    assert "'panda'" in check(report, "readable").hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pandas<1", "your file asks for pandas<1, and there is no such release"),
        ("pandas<2\nnumpy<1.26", "your file asks for numpy<1.26, and there is no such release"),
        ("pandas==1.5.3\npandas==2.2.0", "contradict each other with Python 3.12"),
    ],
)
def test_wishes_that_contradict_each_other_are_told(append, text, told):
    """In the words of the file."""
    passed, report = judge(append, text)
    assert passed == ["readable"]
    assert told in check(report, "solvable").message


def test_a_release_that_needs_another_python_is_told(append):
    """numpy 2.1 does not exist for Python 3.9."""
    _, report = judge(append, "pandas<2\nnumpy>=2", **{".python-version": "3.9"})
    assert (
        "which needs Python >=3.10; with your file, Python 3.9 is used" in check(report, "solvable").message
    )


def test_yanked_releases_are_chosen_only_by_name(append):
    """As pip does."""
    text = "pandas%s\nnumpy<2"
    _, report = judge(append, text % ">=2,<2.2", **{".python-version": "3.9"})
    assert check(report, "solvable").status == "failed"
    _, report = judge(append, text % "==2.1.9", **{".python-version": "3.9"})
    assert "pandas 2.1.9" in check(report, "solvable").message


def test_markers_hold_for_the_python_that_was_chosen(append):
    """Not for the Python that judges."""
    text = 'pandas<2\nnumpy<2; python_version < "3.12"\n'
    passed, _ = judge(append, text, **{".python-version": "3.11"})
    assert passed == list(STEPS)
    passed, _ = judge(append, 'pandas<2\nnumpy<2; python_version < "3.11"', **{".python-version": "3.11"})
    assert "imports" not in passed
    passed, _ = judge(append, 'pandas<2\nnumpy<2; sys_platform == "win32"', **{".python-version": "3.11"})
    assert "imports" not in passed


def test_what_was_tied_down_without_need_costs_its_point(append):
    """One version of what the notebook does not import; the package that matters may be tied."""
    for text, opened in (("six==1.16.0", False), ("six==1.*", True), ("six", True), ("pandas==1.5.3", True)):
        passed, report = judge(append, f"pandas<2\nnumpy<2\n{text}", **{".python-version": "3.11"})
        assert ("open" in passed) == opened, text
        assert report.score == (9 if opened else 8)
    assert (
        "six"
        in check(
            judge(append, "pandas<2\nnumpy<2\nsix==1.16.0", **{".python-version": "3.11"})[1], "open"
        ).message
    )


def test_packages_that_the_index_does_not_know_do_no_harm(append):
    """They are named, and not judged."""
    passed, report = judge(append, "pandas<2\nnumpy<2\njupyterlab==4", **{".python-version": "3.11"})
    assert "imports" in passed
    assert "Not looked at: jupyterlab." in check(report, "solvable").message


def test_without_a_channel_a_conda_file_cannot_be_judged(append):
    """It is said, and what to hand in."""
    passed, report = judge(append, "dependencies: [pandas<2]", "environment.yml")
    assert passed == ["readable"]
    assert "requirements.txt" in check(report, "solvable").message


def test_faults_of_the_file_are_told_in_the_first_check(append):
    """With all points lost, since nothing can be said about the rest."""
    passed, report = judge(append, "pandas=1")
    assert passed == []
    assert "two equals signs" in check(report, "readable").message


def test_the_folder_is_searched_and_the_best_file_counts(append, tmp_path):
    """Several files are no fault; none is told with the names that there could be."""
    report = append.grade(tmp_path)
    assert report.score == 0
    assert "Write one of requirements.txt, environment.yml" in check(report, "readable").message
    assert check(report, "readable").hint == ""
    for name in ("requirement.txt", "Environment.yml", "pyproject.toml.txt"):
        (tmp_path / name).write_text("pandas")
        assert f"There is {name!r}" in check(append.grade(tmp_path), "readable").hint
        (tmp_path / name).unlink()
    (tmp_path / "requirements.txt").write_text("pandas")
    assert append.grade(tmp_path).score == 2
    (tmp_path / "pyproject.toml").write_text(
        PROJECT % ('requires-python = ">=3.9,<3.12"', '"pandas<2", "numpy<2"')
    )
    report = append.grade(tmp_path)
    assert (report.score, report.title) == (
        9,
        "DataFrame.append still exists: pyproject.toml (the best of 2)",
    )
    (tmp_path / "requirements.txt").write_text("pandas<2\nnumpy<2\n")
    (tmp_path / "runtime.txt").write_text("python-3.11")
    (tmp_path / "pyproject.toml").unlink()
    assert append.grade(tmp_path).score == 9


def test_points_are_the_authors(index_file):
    """By step."""
    exercise = Exercise(
        "t",
        index=read_index(index_file),
        needs={"pandas": ""},
        points=dict(zip(STEPS, (0.5, 0.5, 1, 1, 1, 0.5), strict=True)),
    )
    assert judge(exercise, "pandas")[1].max_score == 4.5
    assert judge(exercise, "pandas")[1].score == 4.5
    half = Exercise("t", index=read_index(index_file), needs={}, points={"imports": 0.5})
    assert judge(half, "pandas")[1].max_score == 6.5
    # nothing has to be named where every version does
    assert judge(exercise, "numpy")[1].score == 4.5


def test_a_file_that_is_no_index_is_told(tmp_path):
    """With its name."""
    path = tmp_path / "other.json"
    path.write_text('{"made": "2026-11-26", "pythons": []}')
    with pytest.raises(ValueError, match=r"other.json is no index of packages"):
        read_index(path)


def test_a_clash_needs_both_packages(append):
    """Where one is not installed, or has another version, nothing happens."""
    clash = Clash("pandas<2", "six>=1", "told")
    exercise = Exercise("t", index=append.index, needs={"pandas": "<2"}, clashes=[clash])
    python = {".python-version": "3.11"}
    assert "imports" in judge(exercise, "pandas<2", **python)[0]
    assert "imports" not in judge(exercise, "pandas<2\nsix", **python)[0]
