"""What the documentation says can be typed and is true."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from courses import cells, make_course, notebook, write

from fairmark import quiz
from fairmark.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
COMMANDS = re.findall(r"^\$ (.+?)(?:\s+#.*)?$", TEXT, re.MULTILINE)


def test_the_documentation_shows_the_two_commands():
    """A newcomer finds them without scrolling."""
    assert {"make demo", "make test"} <= set(COMMANDS)
    assert "$ make demo" in "\n".join((ROOT / "README.md").read_text().split("\n")[:30])


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_every_make_command_exists(command):
    """`make --dry-run` knows what to do."""
    words = shlex.split(command)
    done = subprocess.run(
        [words[0], "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course that has the assignment and the student that are spoken of, graded."""
    root = tmp_path_factory.mktemp("graded")
    make_course(root)
    (root / "source" / "ps1").rename(root / "source" / "filters")
    write(root / "submitted/anna/filters/numbers.ipynb", notebook(*cells()))
    (root / "roster.csv").write_text("id,email\nanna,anna@example.org\n")
    assert main(["grade", "filters", "--course", str(root)]) == 0
    return root


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if "fairmark " in each and "doctor" not in each]
)
def test_every_fairmark_command_runs(command, graded, tmp_path):
    """In a course of its own."""
    words = shlex.split(command)[1:]
    course = shutil.copytree(graded, tmp_path / "course")
    (course / "worksheet.csv").write_text("Identifier,Email address,Grade\nParticipant 1,a@x.org,\n")
    done = subprocess.run(
        [sys.executable, "-m", "fairmark.cli", *words],
        cwd=course,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command", ["release", "grade", "verify", "feedback", "report", "export", "ci", "demo", "doctor"]
)
def test_every_command_is_in_the_readme(command, capsys):
    """And each tells about itself."""
    assert re.search(rf"fairmark {command}|make {command}", (ROOT / "README.md").read_text())
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "usage: fairmark" in capsys.readouterr().out


def test_links_between_pages_lead_somewhere():
    """Relative links name files that exist."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_questions_in_the_documentation_are_questions():
    """Each example is read without a fault, and released without its key."""
    examples = re.findall(r"```markdown\n(.*?)```", TEXT, re.DOTALL)
    assert len(examples) == 7
    for example in examples:
        kind = (
            {"kind": "number"}
            if "Answer: 28.3" in example or "+++" in example
            else {"kind": "command"}
            if "Answer: `git" in example
            else {"kind": "match"}
            if "| command |" in example
            else {"kind": "order"}
            if "1. fork" in example
            else {}
        )
        assert quiz.find_faults(example, id="example", points=1, settings=kind or None) == (), example
        blank = quiz.blank(example, id="example", settings=kind or None)
        assert "[x]" not in blank
        assert "\n>" not in blank
