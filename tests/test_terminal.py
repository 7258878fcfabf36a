"""What grading shows: a line that moves where a terminal can, words elsewhere; never half of a name."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from courses import RIGHT_ANSWER, hand_in, make_course

COMMAND = (sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "1")
STUDENTS = ("a-student-with-a-long-name", "bob")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    made = make_course(tmp_path_factory.mktemp("terminal"))
    for student in STUDENTS:
        hand_in(
            made, student, f"{RIGHT_ANSWER}\nimport time\ntime.sleep(1.5)"
        )  # there is time to see it move
    return made


def resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def run_in_terminal(course, columns, later=0, *arguments, **environment):
    """Run the command in a window, which gets `later` columns when something moves; return what it showed."""
    terminal, inside = pty.openpty()
    resize(terminal, columns)
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=course.root,
        env={"TERM": "xterm"}
        | {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
        | environment,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    )
    os.close(inside)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 2**16)
        except OSError:  # nobody holds the other end any more
            break
        shown += part
        if later and b"Grading ps1" in shown:
            resize(terminal, later)
    os.close(terminal)
    assert process.wait() == 0, shown
    return shown.decode()


def test_a_line_moves_and_whole_names_stay_in_a_window_that_is_made_narrow(course):
    """How many are done and the time left can be read at any width; the cursor is back at the end."""
    shown = run_in_terminal(course, 200, 40, "--force", TERM="xterm-256color")
    assert "0/2" in shown
    assert "2/2" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "\t" not in shown
    table = [line for line in ESCAPE.sub("", shown).splitlines() if line.startswith("│")]
    assert all(len(line) <= 40 for line in table)
    names = "".join(line.split("│")[1].strip() for line in table)
    assert names == "".join(STUDENTS)


def test_a_terminal_that_can_move_nothing_gets_a_line_a_submission(course):
    """As a file does: otherwise nothing would be seen for hours. No colour and no cursor's movement is sent."""
    shown = run_in_terminal(course, 80, 0, "--force", TERM="dumb")
    assert "\x1b" not in shown
    for student in STUDENTS:
        assert f"{student}\tgraded\t6\t14\t" in shown


def test_without_outputs_it_grades_all_the_same(course):
    """A service may start it with both of them closed."""
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *COMMAND]
    assert subprocess.run(command, cwd=course.root, check=False).returncode == 0
