"""The pipelines' files: valid, safe, and working when their steps are run in order."""

import json
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from courses import MEAN, cells, make_course, notebook, write

from fairmark.cli import main
from fairmark.errors import UsageError
from fairmark.pipelines.files import make_pipelines, write_pipelines

ROLES = ("course", "instructor", "student")
SCHEMAS = {"github": "github-workflows.json", "gitlab": "gitlab-ci.json"}
PROGRAMS = str(Path(sys.executable).parent)
# What a runner's image brings, and what reaches out of this machine.
ELSEWHERE = re.compile(r"apt-get|sysctl|pip install|fairmark collect|fairmark doctor")


def load(text):
    return yaml.safe_load(re.sub(r"^on:", '"on":', text, flags=re.MULTILINE))


@pytest.mark.parametrize("forge", SCHEMAS)
@pytest.mark.parametrize("role", ROLES)
def test_each_file_follows_its_published_schema(forge, role):
    """The schemas are those of the JSON Schema Store."""
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / SCHEMAS[forge]).read_text())
    for file in make_pipelines(forge, role, ("ps1", "ps2")):
        text = load(file.text)
        jsonschema.validate(text, schema)
        assert "%%" not in file.text


def test_grading_is_started_by_a_timer_or_by_hand_alone():
    """No pull request and no push starts it; permissions are to read; no step holds a secret that it needs not."""
    (file,) = make_pipelines("github", "instructor", ("ps1",))
    workflow = load(file.text)
    assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["grade"]["steps"]
    with_secrets = [step["name"] for step in steps if "secrets." in str(step.get("env"))]
    assert with_secrets == ["Collect", "Post"]
    # What a person typed reaches the shell as a variable, never as text of the script.
    assert not [step for step in steps if "${{" in step.get("run", "")]
    names = [step.get("name") for step in steps]
    assert names.index("Refuse to grade where a stranger started this") < names.index("Collect")
    gitlab = load(make_pipelines("gitlab", "instructor", ("ps1",))[0].text)
    assert [rule["if"] for rule in gitlab["grade"]["rules"]] == [
        '$CI_PIPELINE_SOURCE == "schedule"',
        '$CI_PIPELINE_SOURCE == "web"',
    ]


@pytest.mark.parametrize("forge", SCHEMAS)
def test_the_students_pipeline_holds_no_secret_and_no_hidden_test(forge):
    """It runs what students have."""
    (file,) = make_pipelines(forge, "student")
    for word in ("secrets", "TOKEN", "autograder", "fairmark grade"):
        assert word not in file.text


def test_the_wrong_repository_is_refused(tmp_path):
    """Neither the grading pipeline in a student's repository, nor the student's in the course."""
    course = make_course(tmp_path / "course")
    grade, student = (make_pipelines("github", role, ("ps1",)) for role in ("instructor", "student"))
    (tmp_path / "fork").mkdir()
    with pytest.raises(UsageError, match="hand them the hidden tests"):
        write_pipelines(tmp_path / "fork", "instructor", grade)
    with pytest.raises(UsageError, match="course's own repository"):
        write_pipelines(course.root, "student", student)
    assert write_pipelines(tmp_path / "fork", "student", student)[0].is_file()


def test_a_changed_file_is_kept(tmp_path, capsys):
    """Until it is said to replace it; the same file twice is no matter."""
    course = make_course(tmp_path)
    words = ["ci", "write", "github", "--course", str(tmp_path)]
    assert main(words) == 0
    assert main(words) == 0
    path = course.root / ".github" / "workflows" / "grade.yml"
    path.write_text("mine")
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main([*words, "--force"]) == 0


def steps_of(forge, role):
    file = make_pipelines(forge, role, ("ps1",))[0]
    document = load(file.text)
    if forge == "github":
        (job,) = document["jobs"].values()
        return [step["run"] for step in job["steps"] if "run" in step and "inputs." not in step.get("if", "")]
    (job,) = (job for job in document.values() if "script" in job)
    return job["script"]


def run_steps(steps, folder):
    """Run a pipeline's steps as a runner does, in one folder and in order."""
    environment = {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ASSIGNMENT": "ps1",
        "REALLY_POST": "no",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "schedule",
        "CI_PIPELINE_SOURCE": "schedule",
    }
    for step in steps:
        lines = [line for line in step.split("\n") if not ELSEWHERE.search(line)]
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
        yield step, done.stdout


@pytest.mark.parametrize("forge", SCHEMAS)
def test_the_instructors_steps_grade_and_show_what_would_be_posted(forge, tmp_path):
    """Run in order in a clone of the course, with one hand-in collected."""
    course = make_course(tmp_path)
    solved = cells()
    solved[3].source = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
    write(course.submitted("ann", "ps1") / "numbers.ipynb", notebook(*solved))
    (tmp_path / "targets.csv").write_text("student,repository,commit,pull\nann,ann/work,abc123,1\n")
    told = "".join(out for _, out in run_steps(steps_of(forge, "instructor"), tmp_path))
    assert "status in ann/work" in told
    assert "nothing was sent" in told
    assert "ann" in (tmp_path / "results" / "grades.csv").read_text()
    assert (tmp_path / "results" / "junit.xml").is_file()
    assert list((tmp_path / "feedback" / "ann" / "ps1").glob("*.html"))
    summary = tmp_path / ("summary.md" if forge == "github" else "results/summary.md")
    assert "points" in summary.read_text()


def test_the_courses_steps_prove_the_release(tmp_path):
    """And fail where what is checked in is not what the source gives."""
    make_course(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@x", "-C", str(tmp_path)]
    steps = steps_of("github", "course")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert main(["release", "ps1", "--course", str(tmp_path)]) == 0
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "release"], check=True)
    list(run_steps(steps, tmp_path))
    released = tmp_path / "release" / "ps1" / "numbers.ipynb"
    released.write_text(released.read_text().replace("# Numbers", "# Other numbers"))
    subprocess.run([*git, "commit", "-qam", "edited by hand"], check=True)
    with pytest.raises(AssertionError, match="git diff"):
        list(run_steps(steps, tmp_path))


def test_the_students_steps_run_the_visible_tests(tmp_path):
    """They pass for a right solution and fail for a wrong one."""
    solved = cells()[:6]
    solved[5].source = "assert mean([1, 2, 3]) == 2"
    write(tmp_path / "numbers.ipynb", notebook(*solved))
    told = "".join(out for _, out in run_steps(steps_of("github", "student"), tmp_path))
    assert "all visible tests pass" in told
    solved[3].source = MEAN.replace("fmean(numbers)", "fmean(numbers) + 1")
    write(tmp_path / "numbers.ipynb", notebook(*solved))
    with pytest.raises(AssertionError, match="1 tests or answers fail"):
        list(run_steps(steps_of("github", "student"), tmp_path))
