"""Each limit of a room costs its own question alone, and is told by name, in the result and on the page."""

import time
from dataclasses import replace

import pytest
from conftest import LIMITS, limit_cells
from courses import answer, check, make_course, notebook, run_nbgrader, write

from fairmark import hall
from fairmark.batch import grade_assignment
from fairmark.results import Limit
from fairmark.rooms.limits import Evidence, find_limit, tell_limit, tell_stop
from fairmark.rooms.policy import Policy
from fairmark.rooms.room import Zygote
from fairmark.sitting import Sitting, TestCell

SMALL = replace(LIMITS, cell_seconds=4, submission_seconds=200, open_files=64, notebook_output=320_000)

# What a student's function does, the limit that it meets, and the words that the student reads.
BREAKING = {
    "cell_time": ("while True: pass", "stopped after 4 s"),
    "memory": ("import numpy as np\n    return np.ones(10**11)", "a room has 400 MiB"),
    "processes": (
        "import os, time\n    while True:\n        if os.fork() == 0: time.sleep(9)",
        "no further process could be started: a room may have 40",
    ),
    "threads": (
        "import threading, time\n"
        "    while True: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "no further thread could be started: a room may have 40",
    ),
    "file_size": ("open('big', 'wb').write(bytes(25 * 2**20))", "one file may have 20 MiB"),
    "disk": (
        "for i in range(4): open(f'/tmp/{i}', 'wb').write(bytes(10 * 2**20))",
        "the disk was full: it holds 30 MiB",
    ),
    "files": ("for i in range(1000): open(f'/tmp/{i}', 'w')", "a disk holds 200 files and folders"),
    "shared_memory": (
        "for i in range(4): open(f'/dev/shm/{i}', 'wb').write(bytes(10 * 2**20))",
        "the shared memory (/dev/shm) was full: it holds 30 MiB",
    ),
    "open_files": ("kept = [open('x', 'w') for _ in range(1000)]", "a process may have 64 at a time"),
    "answer_size": ("import numpy as np\n    return np.zeros(70 * 2**20, np.uint8)", "gave a test more than"),
}
# The same for cells: a test's own output is the instructor's.
SHOWING = {
    "output_size": ("print('x' * 10**6)", "a cell may show 0.191 MiB"),
    "outputs": ("for i in range(99): display(i)", "a cell may show 30 outputs"),
    "notebook_output": ("print('x' * 190_000)", "all cells together may show 0.305 MiB"),
}


def breaking(limit):
    what = BREAKING[limit][0]
    return answer(f"def f_{limit}():\n    {what}", f"f_{limit}")


def grade(tmp_path, monkeypatch, limits, cells):
    """Grade one hand-in in which `cells` are the student's; each of their tests calls what it defines."""
    blank = []
    for name, cell in cells.items():
        test = f"f_{name}()\nassert True"
        blank += [answer(f"### BEGIN SOLUTION\ndef f_{name}(): pass\n### END SOLUTION", f"f_{name}")]
        blank += [check(test, f"test_{name}", 1)]
        assert cell.metadata.nbgrader.grade_id == f"f_{name}"
    course = make_course(tmp_path, {"work": notebook(*blank)})
    handed = notebook(*blank)
    for place, cell in enumerate(cells.values()):
        handed.cells[2 * place] = cell
    write(course.submitted("ann", "ps1") / "work.ipynb", handed)
    monkeypatch.setattr(hall, "read_limits", lambda _: limits)
    [result] = grade_assignment(course, "ps1", workers=1).results
    run_nbgrader(course.root, "generate_feedback", "ps1")
    return result, (course.feedback("ann", "ps1") / "work.html").read_text()


def test_every_limit_is_told_in_the_result_and_on_the_page_and_costs_its_question_alone(
    tmp_path, monkeypatch
):
    """Each question but the limit's own is graded, and each page says what was exceeded."""
    cells = {name: breaking(name) for name in BREAKING}
    for name, (what, _) in SHOWING.items():
        cells[name] = answer(f"{what}\ndef f_{name}(): raise ValueError", f"f_{name}")
    cells["above"] = answer("while True: pass\ndef f_above(): return 1", "f_above")
    for number in (1, 2):
        cells[f"good_{number}"] = answer(f"def f_good_{number}(): return 1", f"f_good_{number}")
    result, page = grade(tmp_path, monkeypatch, SMALL, cells)
    items = {item.id.removeprefix("test_"): item for item in result.items}
    for name, (_, words) in {**BREAKING, **SHOWING}.items():
        assert (items[name].limit, items[name].score) == (name, 0), items[name]
        assert words in items[name].message
        assert words in page
    assert items["above"].message.startswith("In a cell before this test: stopped after 4 s")
    assert items["above"].limit == "cell_time"
    assert [items[f"good_{number}"].score for number in (1, 2)] == [1, 1]
    assert [items[f"good_{number}"].limit for number in (1, 2)] == ["", ""]


@pytest.fixture
def sitting(student_zygote, examiner_zygote):
    with Sitting(student_zygote, examiner_zygote, work={}, trusted={}, seeds=(1, 2)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("x = []\nwhile True: x.append(bytes(10**7))", "memory"),
        ("import os\nwhile os.fork(): pass\nos._exit(0)", "processes"),
        ("for i in range(99): open(f'/tmp/{i}', 'wb').write(bytes(9 * 2**20))", "disk"),
        (
            "import numpy as np\n"
            "for name in 'ab': np.memmap('/dev/shm/' + name, np.uint8, 'w+', shape=19 * 2**20)[:] = 1",
            "shared_memory",
        ),
        (  # files on the private disks lie in memory, too
            "for place in ('/tmp', '/dev/shm', '.'): open(place + '/x', 'wb').write(bytes(19 * 2**20))\n"
            "x = b'1' * (320 * 2**20)\nimport time; time.sleep(30)",
            "memory",
        ),
    ],
)
def test_a_limit_that_a_cell_meets_is_told_by_name(sitting, what, limit, monkeypatch):
    """Whether it raises or ends the room; and the next cell is run."""
    limit_cells(sitting, monkeypatch, 50)
    assert sitting.run_student(what).limit == limit
    assert sitting.run_student("x = 1").good


def test_processor_time_is_limited_for_all_processes_together(examiner_zygote):
    """Processes that take turns use up the one limit."""
    burn = (
        "import os, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "for _ in range(2):\n    if os.fork() == 0:\n        while True: pass\ntime.sleep(60)"
    )
    limits = replace(LIMITS, cell_seconds=40, cpu_seconds=1)
    with (
        Zygote(Policy("student", limits)) as zygote,
        Sitting(zygote, examiner_zygote, work={}, trusted={}, seeds=(1, 2)) as sitting,
    ):
        run = sitting.run_student(burn)
        assert (run.limit, run.lost) == ("cpu", "cpu")
        assert "computed for more than 1 s" in run.message
        assert sitting.run_student("x = 1").good


def test_the_time_of_all_cells_together_is_limited(sitting, monkeypatch):
    """The cell that passes it is stopped, and those after it are not run."""
    for zygote in sitting._zygotes:
        limits = replace(zygote.policy.limits, cell_seconds=30, submission_seconds=2)
        monkeypatch.setattr(zygote, "policy", replace(zygote.policy, limits=limits))
    monkeypatch.setattr(sitting, "_ends", time.monotonic() + 2)
    run = sitting.run_student("import time; time.sleep(60)")
    assert (run.limit, run.message) == (
        "submission_time",
        "stopped because all cells together took more than 2 s",
    )
    assert sitting.run_student("x = 1").message == "not run: all cells together took more than 2 s"
    assert sitting.run_test(TestCell("1")).limit == "submission_time"


def test_what_a_function_has_used_up_is_there_again_for_the_next_question(sitting):
    """A disk that one question fills is empty for the next."""
    sitting.run_student(
        "def f():\n    for i in range(9): open(f'/tmp/{i}', 'wb').write(bytes(9 * 2**20))\n"
        "def g(): return open('/tmp/written-by-g', 'wb').write(bytes(2**20))"
    )
    assert sitting.run_test(TestCell("f()")).limit == "disk"
    assert sitting.run_test(TestCell("assert g() == 2**20")).good


@pytest.mark.parametrize(
    ("words", "evidence"),
    [
        ("[Errno 28] No space left on device", Evidence(largest=10**12)),
        ("[Errno 27] File too large", Evidence(full=frozenset({"disk"}))),
        ("[Errno 11] Resource temporarily unavailable", Evidence(tasks=3)),
        ("I ran into the disk limit", Evidence(full=frozenset({"disk"}))),
    ],
)
def test_an_exception_that_nothing_bears_out_is_no_limit(words, evidence):
    """Anybody can raise an OSError; what was seen from outside decides."""
    assert find_limit("OSError", words, lambda: evidence, LIMITS) == ""


def test_every_limit_has_a_sentence_of_its_own():
    """No two limits are told alike, and none is told as a crash."""
    names = [name for name in Limit.__args__ if name]
    reasons = {"cell_time": "timeout", "answer_size": "output"}
    sentences = [tell_limit(name, LIMITS) for name in names if name not in reasons]
    sentences += [tell_stop(reason, LIMITS) for reason in reasons.values()]
    assert len(set(sentences)) == len(names)
    assert not any("crash" in sentence for sentence in sentences)
