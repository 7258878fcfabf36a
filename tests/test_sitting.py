"""Tests reach a student's functions by calls across; the student's code cannot reach the tests."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import limit_cells
from crashes import processes_below

from fairmark.errors import SandboxError
from fairmark.rooms import watch
from fairmark.rooms.policy import Limits, Policy
from fairmark.rooms.room import Opening, Room, Zygote
from fairmark.sitting import Sitting, TestCell

BUSY = [sys.executable, "-c", "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"]


@pytest.fixture
def sitting(student_zygote, examiner_zygote):
    with Sitting(
        student_zygote, examiner_zygote, work={}, trusted={"data.csv": b"1,2"}, seeds=(1, 2)
    ) as opened:
        yield opened


def check(sitting, student, test, students=(), **how):
    """Run a student's cell, then a test on it."""
    run = sitting.run_student(student)
    assert not run.lost, run
    return sitting.run_test(TestCell(test, frozenset(students), **how))


def evalue(run):
    return (
        " ".join(output["evalue"] for output in run.outputs if output["output_type"] == "error") + run.message
    )


SQUARE = "def square(x):\n    return x * x"


@pytest.mark.parametrize(
    ("student", "test"),
    [
        (SQUARE, "assert square(3) == 9"),
        (SQUARE, "import numpy as np\nassert (square(np.arange(3.0)) == [0, 1, 4]).all()"),
        ("x = {'a': [1, (2, {3})]}", "assert x == {'a': [1, (2, {3})]}"),
        (
            "def f(*args, key=1, **more): return args, key, more",
            "assert f(1, 2, key=3, z=4) == ((1, 2), 3, {'z': 4})",
        ),
        ("def f(a): a.append(4)", "x = [1]\nassert f(x) is None\nassert x == [1, 4]"),
        ("def f(a): a[0] = 9", "import numpy as np\nx = np.zeros(3)\nf(x)\nassert x[0] == 9"),
        ("def f(a): a['k'] = 1", "x = {}\nf(a=x)\nassert x == {'k': 1}"),
        (
            "def f(): raise ValueError('no')",
            "try:\n    f()\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'no'",
        ),
        (
            "class Odd(KeyError): pass\ndef f(): raise Odd('x')",
            "try:\n    f()\n    assert 0\nexcept KeyError: pass",
        ),
        (
            "def f(): raise SystemExit",
            "from fairmark.proxy import StudentError\ntry:\n    f()\n    assert 0\nexcept StudentError: pass",
        ),
        ("def f(g, x): return g(x)", "assert f(lambda v: v + 1, 3) == 4"),
        ("def f(g, x): return g(x)", "import numpy as np\nassert f(np.sqrt, 9.0) == 3"),
        ("def f(g, x): return g(x)", "import numpy as np\nassert f(np.median, [1, 2, 9]) == 2"),
        ("def f(kind): return kind('3')", "assert f(int) == 3"),
        (
            "def f(dtype):\n    import numpy as np\n    return np.zeros(2, dtype)",
            "import numpy as np\nassert f(np.uint8).dtype == 'u1'",
        ),
        ("def f(): return lambda x: x + 1", "assert f()(1) == 2"),
        (
            "class Stack(list):\n    def push(self, x): self.append(x)",
            "s = Stack()\ns.push(3)\nassert len(s) == 1 and s[0] == 3 and list(s) == [3] and s.pop() == 3",
        ),
        (
            "from fractions import Fraction as F",
            "import fractions\nassert F(1, 3) == fractions.Fraction(1, 3)",
        ),
        (
            "from collections import namedtuple\nPair = namedtuple('Pair', 'low high')\ndef f(): return Pair(1, 2)",
            "assert f().high == 2 and f() == (1, 2) and Pair(3, 4).low == 3",
        ),
        ("def f():\n    yield 1\n    yield 2", "assert list(f()) == [1, 2]"),
        (
            "class Point:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return Point(self.x + o.x)\n"
            "    def __len__(self): return 7\n    def __str__(self): return 'P'",
            "p = Point(1) + Point(2)\nassert p.x == 3 and len(p) == 7 and str(p) == 'P'\np.x = 5\nassert p.x == 5",
        ),
        ("class Box:\n    def __getitem__(self, i): return i * 2", "assert Box()[4] == 8"),
        (
            "def f(): print('hello')",
            "import io, contextlib\nout = io.StringIO()\nwith contextlib.redirect_stdout(out): f()\n"
            "assert out.getvalue() == 'hello\\n'",
        ),
        ("def f(x):\n    'Doc.'\n    return x", "assert f.__doc__ == 'Doc.' and f.__name__ == 'f'"),
        ("open('made.txt', 'w').write('hi')", "assert open('made.txt').read() == 'hi'"),
        (
            "data = open('data.csv', 'w').write('forged') if False else 1",
            "assert open('data.csv').read() == '1,2'",
        ),
        (
            "import numpy as np\ndef f(): return np.float32(1.5), np.ma.masked_array([1., 2.], [True, False])",
            "import numpy as np\na, b = f()\nassert type(a) is np.float32 and type(b) is np.ndarray",
        ),
    ],
)
def test_honest_code_is_tested_as_if_it_were_here(sitting, student, test):
    """Values, arguments, exceptions, call backs, objects, generators, prints and files cross."""
    run = check(sitting, student, test)
    assert run.good, run.outputs
    assert not run.ours


def test_a_test_can_take_a_name_away_and_put_it_back(sitting):
    """nbgrader's own introduction does this; the student's other functions see it."""
    student = SQUARE + "\ndef total(n): return sum(square(i) for i in range(n))"
    test = (
        "kept = square\ndel square\ntry:\n    total(3)\nexcept NameError:\n    pass\nelse:\n    raise AssertionError('unused')\n"
        "finally:\n    square = kept\nassert total(3) == 5"
    )
    assert check(sitting, student, test).good
    run = check(sitting, "def total(n): return sum(i * i for i in range(n))", test)
    assert "unused" in evalue(run)


def test_a_test_can_replace_a_function_of_the_students(sitting):
    """A function is seen by the student's other functions; in the next cell the name is the student's."""
    student = "def factor(): return 2\ndef f(x): return factor() * x"
    names = ("factor", "f")
    test = "kept = factor\nfactor = lambda: 10\nassert f(1) == 10 and factor() == 10\nfactor = kept\nassert f(1) == 2"
    run = check(sitting, student, test, students=names)
    assert run.good, run.outputs
    assert check(sitting, "", "assert factor() == 2 and f(1) == 2", students=names).good


@pytest.mark.parametrize(
    "student",
    [
        "def f(x): return expected if 'expected' in globals() else 0",
        "import sys; sh = sys.modules['fairmark.rooms.desk']\ndef f(x): return 0\nexpected = i = 0\n"
        "sh.StudentDesk.look_up = lambda s, n: 0 if n in ('i', 'expected') else s.shell.user_ns[n]",
    ],
)
def test_what_a_test_binds_stays_with_the_test(sitting, student):
    """Even under a name that the reference solution uses, too: it neither crosses nor comes back changed."""
    sitting.run_student(student)
    names = frozenset({"f", "i", "expected"})
    assert not sitting.run_test(TestCell("expected = 49\nassert f(7) == expected", names)).good
    assert not sitting.run_test(TestCell("for i in range(1, 3): assert f(i) == i * i", names)).good


@pytest.mark.parametrize(
    "student",
    [
        "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.all = lambda *a: True\nbuiltins.AssertionError = None",
        "all = lambda *a: True\nabs = lambda x: 0\nisinstance = lambda *a: True",
        "import numpy as np\nnp.allclose = lambda *a, **k: True\nnp.testing.assert_allclose = lambda *a, **k: None",
        "class np:\n    allclose = staticmethod(lambda *a, **k: True)",
        "import types, sys\nnp = types.ModuleType('numpy')\nnp.allclose = lambda *a, **k: True\nsys.modules['numpy'] = np",
        "class Yes:\n    def __eq__(self, o): return True\n    def __ne__(self, o): return False\n    def __lt__(self, o): return True\n"
        "    def __float__(self): return 3.0\n    def __bool__(self): return True\n    __hash__ = None\n"
        "    def __array__(self, *a, **k): import numpy; return numpy.array(3.0)\ndef f(x): return Yes()",
        "class Yes(float):\n    def __eq__(self, o): return True\n    def __sub__(self, o): return 0.0\n    def __abs__(self): return 0.0\n"
        "def f(x): return Yes(7)",
        "class Yes(str):\n    def __eq__(self, o): return True\ndef f(x): return Yes('x')",
        "import ast, sys\nget_ipython().ast_transformers.append(type('T', (ast.NodeTransformer,), {'visit_Assert': lambda s, n: ast.Pass()})())",
        "import sys\nsys.settrace(lambda *a: None)\nget_ipython().run_cell = lambda *a, **k: None",
        "class Y:\n    __sub__ = __rsub__ = lambda s, o: 0.0\n    __abs__ = lambda s: 0.0\ndef f(x): return Y()",
        "import os, sys\nfor d in range(3, 64):\n    try: os.write(d, b'{\"good\": true}')\n    except OSError: pass",
    ],
)
def test_no_trick_in_the_students_room_makes_a_wrong_answer_right(sitting, student):
    """Patched builtins, packages, comparisons, shells and forged messages change nothing."""
    wrong = "def f(x):\n    return 7\n"
    test = (
        "import numpy as np\nassert abs(f(1) - 3) < 1e-9\nassert np.max(np.abs(np.array([3.0]) - f(1))) < 1"
    )
    sitting.run_student(wrong)
    sitting.run_student(student)
    run = sitting.run_test(TestCell(test, frozenset({"f"})))
    assert not run.good
    assert not run.ours or run.lost


def test_objects_of_the_students_cannot_be_compared(sitting):
    """Comparing would run the student's code: it is refused in words."""
    run = check(sitting, "class Yes:\n    def __eq__(self, o): return True\nx = Yes()", "assert x == 3")
    assert "cannot be compared" in evalue(run)
    run = check(sitting, "", "assert x != 3")
    assert "cannot be compared" in evalue(run)


def test_instructors_names_cannot_be_rebound_from_the_students_room(sitting):
    """A name that a trusted cell bound stays what it is there."""
    sitting.run_student("limit = 10\ndef expected(): return 1")
    sitting.run_test(TestCell("limit = 3\ndef expected(): return 5"), remember=True)
    run = sitting.run_test(TestCell("assert limit == 3 and expected() == 5"))
    assert run.good, run.outputs


def test_a_name_that_the_reference_solution_binds_is_the_students(sitting):
    """Even where an instructor's cell bound it before, and even where it is a builtin's."""
    sitting.run_student("image = 1\ndef pow(a, b): return 'mine'")
    sitting.run_test(TestCell("image = 255"), remember=True)
    run = sitting.run_test(TestCell("assert image == 1 and pow(1, 2) == 'mine'", frozenset({"image", "pow"})))
    assert run.good, run.outputs


def test_imports_of_the_reference_solution_are_the_examiners_own(sitting):
    """A module never crosses: the test gets the installed one."""
    sitting.run_student("import numpy as np\nnp.median = lambda x: 'patched'")
    run = sitting.run_test(TestCell("assert np.median([1, 2, 3]) == 2", imports={"np": "import numpy as np"}))
    assert run.good, run.outputs
    run = check(sitting, "import numpy as other", "other.median([1])")
    assert "cannot cross" in evalue(run)


def test_the_value_of_the_last_line_is_the_score(sitting):
    """nbgrader's partial credit, and a report's."""
    assert sitting.run_test(TestCell("1.5")).score == 1.5
    assert sitting.run_test(TestCell("True")).score is None
    assert sitting.run_test(TestCell("x = 1")).score is None
    report = "class R:\n    def _fairmark_report_(self): return {'score': 2.0, 'checks': []}\n    def __repr__(self): return '2.0'\nR()"
    run = sitting.run_test(TestCell(report))
    assert (run.score, run.report) == (2.0, {"score": 2.0, "checks": []})


def test_a_test_reads_what_was_handed_in_beside_the_notebook(student_zygote, examiner_zygote):
    """Handed-in files lie in the working folder; the instructor's own stay as they are; new ones replace old."""
    work = {"mine.txt": b"handed in", "data.csv": b"1,2"}
    with Sitting(
        student_zygote, examiner_zygote, work=work, trusted={"data.csv": b"1,2"}, seeds=(1, 2)
    ) as opened:
        run = opened.run_test(TestCell("assert open('mine.txt').read() == 'handed in'"))
        assert run.good, run.outputs
        opened.run_student("for n in 'mine.txt', 'data.csv': open(n, 'w').write('written')")
        run = opened.run_test(
            TestCell(
                "assert open('mine.txt').read() == 'written'\nassert open('data.csv').read() == '1,2'\n"
                "import os, sys\nassert '' not in sys.path and os.getcwd() not in sys.path"
            )
        )
        assert run.good, run.outputs


def test_what_a_test_hands_over_is_in_no_later_output(sitting):
    """Neither by Python nor by a descriptor can a function print a hidden test's inputs for its student."""
    tell = "import os, sys\ndef f(x):\n    for out in (1, 2): os.write(out, x.encode())\n    print(x, file=sys.stderr)"
    sitting.run_student(tell)
    assert sitting.run_test(TestCell("f('secret')", students=frozenset({"f"}))).good
    assert "secret" not in str(sitting.run_student("print('mine')").outputs)


def test_no_file_of_a_students_is_a_setting_for_the_tests(student_zygote, examiner_zygote):
    """The examiner's home is empty, and what a test starts takes neither modules nor orders from the hand-in."""
    order = b"[core]\n\tfsmonitor = touch /tmp/obeyed\n\tbare = "
    repository = {"HEAD": b"ref: refs/heads/main\n", "objects/x": b"", "refs/x": b""}
    work = {
        ".gitconfig": order,
        ".netrc": b"machine x",
        "json.py": b"raise SystemExit(9)",
        "sitecustomize.py": b"raise SystemExit(9)",
        "matplotlibrc": b"backend: none",
        **repository,
        "config": order + b"true",
        **{f".git/{name}": data for name, data in repository.items()},
        ".GIT/config": order + b"false",
        ".git/config": order + b"false",
    }
    test = (
        "import os, pathlib, shutil, subprocess, sys\n"
        "assert [each.name for each in pathlib.Path.home().iterdir()] == ['work']\n"
        "assert pathlib.Path('json.py').exists() and pathlib.Path('.gitconfig').exists()\n"
        "assert not pathlib.Path('.git').exists() and not pathlib.Path('matplotlibrc').exists()\n"
        "for words in (['-c', 'import json; json.dumps'], ['-m', 'json.tool', '--help']):\n"
        "    assert subprocess.run([sys.executable, *words], capture_output=True).returncode == 0\n"
        "if shutil.which('git'):\n"
        "    subprocess.run(['git', 'status'], capture_output=True)\n"
        "assert not pathlib.Path('/tmp/obeyed').exists()"
    )
    with Sitting(student_zygote, examiner_zygote, work=work, trusted={}, seeds=(1, 2)) as opened:
        run = opened.run_test(TestCell(test))
        assert run.good, run.outputs
        opened.run_student(
            "import pathlib\nfor place in (pathlib.Path.home(), pathlib.Path()):\n"
            "    for name in ('.bashrc', '.git/config', '../.gitconfig'):\n"
            "        (place / name).parent.mkdir(exist_ok=True)\n"
            "        (place / name).write_text('x')"
        )
        run = opened.run_test(TestCell(test))
        assert run.good, run.outputs


def test_a_student_cannot_hand_out_a_report(sitting):
    """An object of the student's that looks like a report is none."""
    run = check(
        sitting,
        "class R:\n    def _fairmark_report_(self): return {'score': 9.0, 'checks': []}\nr = R()",
        "r",
    )
    assert (run.score, run.report) == (None, None)


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("def f(): import os; os._exit(1)", "crash"),
        ("def f():\n    while True: pass", "timeout"),
        ("def f():\n    x = []\n    while True: x.append(b'a' * 10**6)", "memory"),
    ],
)
def test_a_lost_room_costs_its_own_question_alone(sitting, student, reason, monkeypatch):
    """The next question is graded in a fresh room, with the cells before run again."""
    if reason == "memory":
        limit_cells(sitting, monkeypatch, 50)
    sitting.run_student("import numpy as np\nbase = 40")
    run = check(sitting, student, "f()")
    assert (run.good, run.lost) == (False, reason)
    run = check(sitting, "def g(): return base + 2", "assert g() == 42")
    assert run.good, run.outputs


def test_a_cell_that_ends_every_room_is_left_out_of_the_next(sitting):
    """A crash at the top of a cell does not take the other cells with it."""
    sitting.run_student("a = 1")
    assert sitting.run_student("import os; os._exit(1)").lost == "crash"
    run = check(sitting, "b = a + 1", "assert b == 2")
    assert run.good, run.outputs


def test_an_endless_loop_is_interrupted_and_the_session_goes_on(sitting):
    """The names before the loop are still there."""
    sitting.run_student("a = 1")
    run = sitting.run_student("while True: pass")
    assert (run.lost, "2 s" in run.message) == ("timeout", True)
    assert check(sitting, "", "assert a == 1").good


@pytest.fixture
def slow_sitting():
    """Rooms with half a second for a cell, on a processor that they share with three that never rest."""
    processor = max(os.sched_getaffinity(0))
    limits = Limits(cell_seconds=0.5, submission_seconds=60)
    with contextlib.ExitStack() as opened:
        zygotes = [opened.enter_context(Zygote(Policy(role, limits))) for role in ("student", "examiner")]
        for zygote in zygotes:
            for pid in processes_below(zygote.process.pid):
                os.sched_setaffinity(pid, {processor})
        slow = opened.enter_context(Sitting(*zygotes, work={}, trusted={}, seeds=(1, 2)))
        slow.run_student("import time")
        assert slow.run_test(TestCell("import time")).good
        for _ in range(3):
            busy = subprocess.Popen([*BUSY, str(processor)], start_new_session=True)
            opened.callback(busy.wait)
            opened.callback(busy.kill)
            while os.sched_getaffinity(busy.pid) != {processor}:  # it has not begun yet
                time.sleep(0.01)
        yield slow


def test_a_mark_does_not_depend_on_how_busy_the_machine_is(slow_sitting):
    """What a cell waits for a processor is not its time, in both rooms; and what never ends is stopped even so."""
    work = "def f(seconds):\n    ends = time.process_time() + seconds\n    while time.process_time() < ends: pass\n    return 3\n"
    began = time.monotonic()
    run = slow_sitting.run_student(work + "f(0.2)")
    assert run.good, run
    assert time.monotonic() - began > 0.5, "the machine was not busy"
    run = slow_sitting.run_test(TestCell("assert f(0.1) == 3\n" + work + "f(0.1)", frozenset({"f"})))
    assert run.good, run
    assert slow_sitting.run_student("while True: pass").lost == "timeout"


@pytest.fixture
def short_sitting(sitting, monkeypatch):
    """Rooms with half a second for a cell."""
    limit_cells(sitting, monkeypatch, 0.5)
    return sitting


def test_what_the_grader_waits_for_a_processor_is_no_cells_time(short_sitting, monkeypatch):
    """It carries each call of a test to the student's room, and the answer back."""
    waits = itertools.chain([0.0], itertools.repeat(60.0))
    monkeypatch.setattr(watch, "read_wait", lambda task: next(waits) if task == "thread-self" else 0.0)
    run = short_sitting.run_student("import time; time.sleep(0.8)")
    assert run.good, run


def test_an_answer_that_comes_while_a_room_is_asked_how_long_it_has_waited_is_in_time(
    short_sitting, monkeypatch
):
    """To ask takes long where the machine is as busy as the answer will say."""

    def ask(*_):
        time.sleep(1.5)
        return 0.5

    monkeypatch.setattr(Room, "waited", ask)
    run = short_sitting.run_student("import time; time.sleep(0.8)")
    assert run.good, run


def test_a_test_that_cannot_run_is_our_fault(sitting):
    """A missing module of the author's is no wrong answer."""
    assert "no_such_module" in sitting.run_test(TestCell("import no_such_module")).ours
    assert "test cannot run" in sitting.run_test(TestCell("def (")).ours
    assert not check(sitting, "def f(): import no_such_module", "f()").ours


def test_a_test_that_never_ends_is_our_fault_and_the_next_one_runs(sitting):
    """The examiner's room is made anew, with the instructor's cells."""
    sitting.run_test(TestCell("import time\nlimit = 3"), remember=True)
    assert sitting.run_test(TestCell("while True: pass")).ours
    assert sitting.run_test(TestCell("assert limit == 3")).good


def test_quiet_cells_show_nothing_that_tests_print(sitting):
    """Prints of hidden tests would tell their inputs."""
    run = check(sitting, "def f(x): print('input', x)", "f(42)\nprint('secret')", quiet=True)
    assert run.good
    assert not [output for output in run.outputs if output["output_type"] == "stream"]


def test_the_students_room_holds_no_test(sitting):
    """Neither the source of a test nor the examiner's modules are in the student's process."""
    sitting.run_test(TestCell("marker = 'needle' + '-in-test'"))
    look = (
        "import gc, sys\nfound = [m for m in sys.modules if m.startswith(('fairmark', 'autograder'))]\n"
        "found += [o for o in gc.get_objects() if isinstance(o, str) and 'in-test' in o and 'gc' not in o]\nprint(*sorted(found))"
    )
    run = sitting.run_student(look)
    names = run.outputs[-1]["text"].split()
    assert names == [
        "fairmark",
        "fairmark.rooms",
        "fairmark.rooms.confined",
        "fairmark.rooms.desk",
        "fairmark.rooms.linux",
        "fairmark.rooms.recall",
        "fairmark.rooms.shell",
        "fairmark.rooms.watch",
        "fairmark.rooms.wire",
    ]


FORGE = "import sys; sh = sys.modules['fairmark.rooms.desk']\n"


@pytest.mark.parametrize(
    "files",
    [
        "{'a\\0': b''}",
        "{'a\\ud800': b''}",
        "{str(i): b'' for i in range(10**5)}",
        "{'../../tmp/trusted/data.csv': b'forged', '/tmp/trusted/data.csv': b'forged'}",
        "{'./data.csv': b'forged', 'data.csv': b'forged', 'data.csv/': b'forged', 'x//y': b''}",
        "{'x' * 10**6: b''}",
        "{'a/' * 5000 + 'b': b''}",
        "{'big': bytes(10**8)}",
        "[1, 2]",
        "None",
        "1/0",
    ],
)
def test_forged_files_neither_disturb_the_test_nor_replace_the_instructors(sitting, files):
    """What the student's room says it wrote is as hostile as everything else."""
    sitting.run_student(f"{FORGE}sh.StudentDesk.files = lambda self, *_: {files}")
    run = sitting.run_test(TestCell("assert open('data.csv').read() == '1,2'"))
    assert run.good, run


def test_a_name_of_the_instructors_that_is_not_bound_is_not_the_students(sitting):
    """A student who makes an instructor's cell fail does not decide what its names are."""
    sitting.run_student("EXPECTED = 0\ndef f(x): raise ValueError")
    sitting.run_test(TestCell("y = f(3)\nEXPECTED = 9"), remember=True)
    sitting.run_student("def f(x): return 0")
    run = sitting.run_test(
        TestCell("assert f(3) == EXPECTED", frozenset({"f"}), frozenset({"y", "EXPECTED"}))
    )
    assert "EXPECTED" in evalue(run)
    assert (run.good, run.ours) == (False, "")


def test_what_a_lost_examiners_room_had_made_is_our_fault_where_it_is_missing(sitting):
    """Helpers of an earlier test cell are gone with the room: nobody gets a 0 for that."""
    names = frozenset({"helper"})
    sitting.run_test(TestCell("helper = 1", instructors=names))
    sitting.run_test(TestCell("while True: pass"))
    run = sitting.run_test(TestCell("assert helper == 1", instructors=names))
    assert "helper" in run.ours


def test_an_endless_generator_is_the_students_endless_loop(sitting):
    """A test that goes over it for ever is stopped, without our being at fault."""
    run = check(sitting, "def f():\n    while True: yield 1", "sum(f())")
    assert (run.good, run.ours, run.lost) == (False, "", "timeout")


@pytest.mark.parametrize(
    ("student", "test"),
    [
        ("def f(x): return 10**12", "assert sum(range(f(3))) == 3"),
        ("import numpy as np\ndef f(x): return np.broadcast_to(np.uint8(9), (100 * 2**20,))", "f(3)"),
        ("import numpy as np\ndef f(x): return np.zeros(6 * 10**6)", "a = [f(3).copy() for i in range(20)]"),
        ("def f(x): return '('", "import ast\nast.literal_eval(f(1))"),
        (
            "class C:\n    _repr_mimebundle_ = lambda s, **k: {'text/plain': C()}\ndef f(x): return C()",
            "f(3) + 1",
        ),
        ("open('n.txt', 'w').write(str(10**12))", "sum(range(int(open('n.txt').read())))"),
        ("def f(x): raise StopIteration", "assert all(map(lambda x: f(x) == x * x, range(5)))"),
    ],
)
def test_what_a_student_gives_is_never_our_fault(sitting, student, test):
    """Too large, too long, of a bad form: no points, and nobody has to look."""
    run = check(sitting, student, test)
    assert (run.good, run.ours) == (False, "")


@pytest.mark.parametrize(
    ("end", "ours"),
    [("kept.append(b'a' * 6 * 10**8)", ""), ("os._exit(3)", "the test itself did not come to its end")],
)
def test_an_examiners_room_that_ends_while_an_answer_is_on_its_way_is_no_surprise(
    sitting, end, ours, monkeypatch
):
    """Whose fault that is depends on how it ended, not on the moment."""
    limit_cells(sitting, monkeypatch, 50)
    sitting.run_student(
        "import time, numpy as np\ndef f():\n    time.sleep(0.5)\n    return np.zeros(6 * 10**6)"
    )
    test = f"import os, threading\nkept = []\nthreading.Timer(0.1, lambda: {end}).start()\nwhile True: f()"
    run = sitting.run_test(TestCell(test, frozenset({"f"})))
    assert not run.good
    assert (ours in run.ours) if ours else (run.ours == "")
    assert sitting.run_test(TestCell("assert f().sum() == 0", frozenset({"f"}))).good


def test_no_markup_of_the_students_gets_into_a_tests_outputs(sitting):
    """Display hooks are not asked across."""
    student = "class C:\n    _repr_html_ = lambda s: '<b>mine</b>'\ndef f(x): return C()"
    run = check(sitting, student, "f(3)")
    assert run.good
    assert "mine" not in str(run.outputs)


def test_an_instructors_cell_takes_a_name_back(sitting):
    """It may use the student's value to make its own."""
    sitting.run_student("image = 3")
    sitting.run_test(TestCell("image = image * 100", frozenset({"image"})), remember=True)
    run = sitting.run_test(TestCell("assert image == 300", frozenset(), frozenset({"image"})))
    assert run.good, run.outputs
    assert sitting.run_student("assert image == 3").good


def test_figures_are_drawn_where_somebody_looks_at_them(sitting, monkeypatch):
    """An instructor's cell runs in both rooms and is shown as the student's ran it; a test's figure is its own."""
    limit_cells(sitting, monkeypatch, 50)
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.plot([3, 4]);"

    def pictures(run):
        assert run.good, run.outputs
        return [kind for output in run.outputs for kind in output["data"] if kind.startswith("image/")]

    assert pictures(sitting.run_student(draw)) == ["image/png"] * 2
    assert pictures(sitting.run_test(TestCell(draw), remember=True)) == []
    assert pictures(sitting.run_test(TestCell(draw))) == ["image/png"] * 2
    assert sitting.run_test(TestCell("assert plt.get_fignums() == []")).good


@pytest.mark.parametrize(
    "test",
    [
        "assert abs(f(1) - 3) < 1e-9",
        "assert abs(3 - f(1)) < 1e-9",
        "import numpy as np\nassert np.max(np.abs(np.array([3.0]) - f(1))) < 1e-9",
        "import numpy as np\nassert np.linalg.norm(f(1) - np.array([3.0])) < 1e-9",
    ],
)
def test_no_arithmetic_of_the_students_makes_a_difference_vanish(sitting, test):
    """Their operators are not asked, and never see what the test expects."""
    student = (
        "SEEN = []\nclass Y:\n    def __sub__(self, other):\n        SEEN.append(other)\n        return 0.0\n"
        "    __rsub__ = __sub__\n    def __abs__(self): return 0.0\ndef f(x): return Y()"
    )
    assert not check(sitting, student, test, students=("f",)).good
    assert sitting.run_student("assert SEEN == []").good


FORK = "import os\ndef f(x):\n    pid = os.fork()\n    if not pid:\n        raise ValueError('a copy')\n    return x"


@pytest.mark.parametrize("cell", [FORK, FORK + "\nf(3)", FORK + "\nif not os.fork(): 1 / 0"])
def test_a_copy_that_the_students_code_forks_answers_nothing(sitting, cell):
    """It ends when its cell or its call has; the room goes on as if it had never been."""
    assert sitting.run_student(cell).good
    for x in range(3):
        assert sitting.run_test(TestCell(f"assert f({x}) == {x}", frozenset({"f"}))).good
    assert sitting.losses == []


def test_an_examiners_room_that_is_killed_while_it_comes_is_waited_for_once(
    sitting, examiner_zygote, monkeypatch
):
    """The submission is graded again in fresh rooms, and not after another wait for what cannot come."""
    waits = []
    wait = Opening.wait

    def count(opening):
        waits.append(opening.number)
        return wait(opening)

    monkeypatch.setattr(Opening, "wait", count)
    before = processes_below(examiner_zygote.process.pid)
    sitting.run_student("x = 1")
    while not (coming := processes_below(examiner_zygote.process.pid).keys() - before.keys()):
        time.sleep(0.01)
    for pid in coming:
        with contextlib.suppress(ProcessLookupError):  # it has ended with the one before
            os.kill(pid, signal.SIGKILL)
    with pytest.raises(SandboxError, match="ended while it was opened"):
        sitting.run_test(TestCell("assert x == 1", frozenset({"x"})))
    sitting.close()
    assert len(waits) == 2


COUNTING = (
    "calls = []\ndef push(stack, x):\n    calls.append(x)\n    stack.append(x)\n    return len(stack)\n"
)
NAMES = frozenset({"push", "calls", "noise", "f"})


def run_shared(sitting, text):
    """Run an instructor's cell in both rooms, as grading does; return what the student sees of it."""
    run = sitting.run_student(text, shared=NAMES)
    assert sitting.run_test(TestCell(text, NAMES), remember=True).ours == ""
    return run


def verdict(sitting, text):
    return sitting.run_test(TestCell(text, NAMES)).good


def test_what_an_instructors_cell_calls_is_called_once(sitting):
    """As in a notebook; both rooms have its result, and what it did to the arguments."""
    sitting.run_student(COUNTING)
    run_shared(sitting, "stack = []\nlengths = [push(stack, push(stack, 5)), push(stack=stack, x=7)]")
    assert verdict(sitting, "assert (stack, lengths) == ([5, 1, 7], [2, 3])")
    assert verdict(sitting, "assert calls == [5, 1, 7]")


@pytest.mark.parametrize(
    "line",
    [
        "print(x)",
        "import warnings; warnings.warn('x')",
        "import os; os.write(2, b'x')",
        "raise ValueError(x)",
    ],
)
def test_what_prints_warns_or_fails_is_called_once_as_well(sitting, line):
    """A student who looks for a fault with `print` must not lose what one who does not look gets."""
    sitting.run_student(f"calls = []\ndef f(x):\n    calls.append(x)\n    {line}\n    return len(calls)")
    cell = (
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as told:\n"
        "    try:\n        told.result = f(7)\n    except ValueError as error:\n        told.result = str(error)"
    )
    run_shared(sitting, cell)
    expected = ("7\n" if "print" in line else "", "7" if "raise" in line else 1)
    for room in (sitting.run_student, lambda text: sitting.run_test(TestCell(text, NAMES))):
        assert room(f"assert (told.getvalue(), told.result) == {expected!r}").good
    assert verdict(sitting, "assert calls == [7]")


def test_arguments_may_have_any_name(sitting):
    """Also those that our own methods have."""
    test = "assert f(self=1, function=2, name=3) == {'self': 1, 'function': 2, 'name': 3}"
    assert check(sitting, "def f(**named): return named", test, ["f"]).good


def test_random_results_are_the_same_in_both_rooms(sitting):
    """Equal calls get their answers in their order."""
    sitting.run_student("import random\ndef noise(): return random.random()")
    run = run_shared(sitting, "first, second = noise(), noise()\nprint(first, second)")
    first, second = run.outputs[0]["text"].split()
    assert verdict(sitting, f"assert (first, second) == ({first}, {second})")
    assert first != second


def test_a_test_calls_everything_itself(sitting):
    """What was kept for an instructor's cell and never asked for is no answer to a test, or to a later cell."""
    sitting.run_student(COUNTING)
    sitting.run_student("push([], 1)", shared=NAMES)
    assert verdict(sitting, "assert push([], 1) == 1\nassert calls == [1, 1]")
    sitting.run_student("push([], 2)", shared=NAMES)
    sitting.run_student("size = len(calls)\ndef size_of(): return size", shared=NAMES)
    sitting.run_student("size_of()", shared=NAMES | {"size_of"})
    sitting.run_student("size = 99")
    names = NAMES | {"size_of"}
    sitting.run_student("found = size_of()", shared=names)
    sitting.run_test(TestCell("found = size_of()", names), remember=True)
    assert verdict(sitting, "assert found == 99")


def test_calls_that_differ_between_the_rooms_are_made_anew(sitting):
    """The student's version of an instructor's variable may be another one."""
    sitting.run_student(COUNTING)
    run_shared(sitting, "size = 3")
    sitting.run_student("size = 8")
    run_shared(sitting, "push([], size)")
    assert verdict(sitting, "assert calls == [8, 3]")


@pytest.mark.parametrize(
    ("cell", "test"),
    [
        ("later = lambda: f(1)\nlater()", "assert later() == 2"),
        ("def later(): return f(1)\nlater()", "assert later() == 2"),
        ("each = (f(x) for x in (1, 2))", "assert list(each) == [2, 3]"),
        ("many = [f(x) for x in range(200)]", "assert many == list(range(1, 201))"),
        ("kind = type(f).__name__", "assert kind"),
        ("made = [f(x=x) for x in (1, 2)]\nmore = f(*[4])", "assert (made, more) == ([2, 3], 5)"),
        ("import numpy as np\nbig = f(np.zeros((2000, 2000)))", "assert big.sum() == 4e6"),
    ],
)
def test_whatever_calls_look_like_they_give_what_they_give_in_a_notebook(sitting, cell, test, monkeypatch):
    """Functions that are called later, generators, many calls, keywords, large arrays."""
    limit_cells(sitting, monkeypatch, 50)
    sitting.run_student("def f(x): return x + 1")
    assert run_shared(sitting, cell).good
    assert sitting.run_student(test).good
    assert verdict(sitting, test)
    assert sitting.run_student("assert not [name for name in globals() if 'call_and_keep' in name]").good


def test_nobody_sees_in_a_traceback_how_the_function_was_called(sitting):
    """It is that of a notebook: the cell, and the student's function."""
    sitting.run_student("def f(x): return 1 / x")
    shared = run_shared(sitting, "print('before')\nf(f(0))")
    plain = sitting.run_student("print('before')\nf(f(0))")
    assert not shared.good
    texts = ["\n".join(run.outputs[-1]["traceback"]) for run in (shared, plain)]
    assert "call_and_keep" not in texts[0]
    assert texts[0].replace("In[2]", "In[3]") == texts[1]


def test_a_connection_that_was_made_not_to_wait_waits(sitting):
    """What a cell does to its room's socket costs the next cells nothing."""
    assert sitting.run_student("import os; os.set_blocking(3, False)").good
    assert check(sitting, SQUARE, "assert square(3) == 9", ["square"]).good
