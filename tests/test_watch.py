"""What is handed in is graded within seconds, for as long as somebody watches."""

import queue
import signal
import subprocess
import sys
import threading
import time

import pytest
from courses import HIDDEN, cells, check, hand_in, make_course, notebook, write

WRONG = "def mean(numbers):\n    return max(numbers)"


@pytest.fixture
def watched(tmp_path):
    """A course with its watch, and what the watch says line by line."""
    course = make_course(tmp_path)
    command = [sys.executable, "-u", "-m", "fairmark.cli", "grade", "ps1", "--watch", "--workers", "1"]
    process = subprocess.Popen(
        command, cwd=course.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
    yield course, process, lines
    process.kill()
    process.wait()


def hear(lines, words):
    """Return the next line that holds all `words`."""
    end = time.monotonic() + 180
    while (left := end - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            break
        if all(word in line for word in words):
            return line
    raise AssertionError(f"never heard: {words}")


def test_a_watch_grades_what_comes_and_what_changes_until_it_is_ended(watched):
    """New work, work handed in again, a test that is mended, a fault that is told; Ctrl-C ends it cleanly."""
    course, process, lines = watched
    hear(lines, ("Watching",))
    hand_in(course, "ann")
    hear(lines, ("ann", "graded", "\t6\t"))
    hand_in(course, "bob", WRONG)
    hear(lines, ("bob", "graded", "\t2\t"))
    hand_in(course, "bob")
    hear(lines, ("bob", "graded", "\t6\t"))
    source = course.root / "source/ps1/numbers.ipynb"
    broken, harder = cells(), cells()
    broken[5] = check(HIDDEN, points=-1)
    write(source, notebook(*broken))
    hear(lines, ("points",))
    harder[5] = check(HIDDEN + "\nassert mean([1]) == 2")
    write(source, notebook(*harder))
    hear(lines, ("ann", "graded", "\t2\t"))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
