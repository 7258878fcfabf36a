"""What processes use is seen from outside, whatever they do to hide it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairmark.rooms import watch
from fairmark.rooms.zygote import _Room

MIB = 2**20
# What holds memory says so, and waits; where the first thread has to end, when it has ended.
HOLD = "import sys, time; data = bytearray(64 * 2**20); print(1, flush=True); time.sleep(60)"
FIRST_THREAD_ENDS = """
import ctypes, threading, time
def has_ended():
    return open("/proc/self/stat").read().rpartition(")")[2].split()[0] == "Z"
def hold():
    data = bytearray(64 * 2**20)
    while not has_ended():
        time.sleep(0.01)
    print(1, flush=True)
    time.sleep(60)
threading.Thread(target=hold).start()
ctypes.CDLL(None).pthread_exit(None)
"""
HIDDEN = f"import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); {HOLD}"
SHARING = """
import os, time
data = bytearray(64 * 2**20)
for _ in range(4):
    if not os.fork():
        break
else:
    print(1, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start():
    started = []

    def begin(source):
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", source], stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout.readline()
        return process.pid

    yield begin
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("source", [HOLD, HIDDEN, FIRST_THREAD_ENDS], ids=["plain", "hidden", "first_thread"])
def test_memory_is_seen_however_a_process_hides(start, source):
    """Neither a process that nobody may look into nor one whose first thread has ended counts for less."""
    pid = start(source)
    assert watch.measure({pid})[pid].memory > 64 * MIB
    assert watch.weigh(pid) > 60 * MIB


@pytest.mark.parametrize("source", [HOLD, HIDDEN, FIRST_THREAD_ENDS], ids=["plain", "hidden", "first_thread"])
def test_sockets_are_seen_however_a_process_hides(start, source):
    """What lies in them is in no process's memory."""
    pairs = "data = __import__('socket').socketpair(), [__import__('socket').socketpair() for _ in range(99)]"
    pid = start(source.replace("data = bytearray(64 * 2**20)", pairs))
    assert watch.measure({pid})[pid].memory > 80 * MIB
    assert watch.weigh(pid) > 80 * MIB


def test_a_process_that_has_ended_holds_nothing():
    """Nobody may look into it any more, and it is not taken for one that hides."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    used = watch.measure({child})[child].memory
    os.waitpid(child, 0)
    assert used == 0


def test_pages_that_are_shared_weigh_once(start):
    """The quick sum counts them for each process and is never less; the exact one divides them."""
    pid = start(SHARING)
    assert watch.measure({pid})[pid].processes == 5
    assert watch.measure({pid})[pid].memory > 5 * 64 * MIB
    assert 64 * MIB < watch.weigh(pid) < 2 * 64 * MIB


NAMELESS = """
import ctypes, os, sys, time
made = os.open("big", os.O_RDWR | os.O_CREAT)
os.unlink("big")
os.posix_fallocate(made, 0, 3 * 2**20)
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
if sys.argv[1] != "open":
    libc.mmap(None, ctypes.c_size_t(4096), 1, 1, made, ctypes.c_long(0))
if sys.argv[1] == "mapped":
    os.close(made)
print(1, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("how", "size"), [("open", 3), ("both", 3), ("mapped", 5)])
def test_files_without_a_name_count_as_long_as_they_are_held(tmp_path, how, size):
    """One that is only mapped does not tell its size: it counts as the largest that may be."""
    limits = {"disk": 4 * MIB, "files": 100, "file_size": 5 * MIB}
    command = [sys.executable, "-S", "-c", NAMELESS, how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as holder:
        assert holder.stdout.readline()
        used, passed = watch.add_up_folders({str(tmp_path): "disk"}, limits, holder.pid)
        holder.kill()
    assert (used, passed) == (size * MIB, {"disk"} if how == "mapped" else set())


def test_what_has_stopped_starts_nothing_more(start):
    """The signal alone does not say so: whoever was about to fork when it came does it still."""
    pid = start(
        "import os, time; print(1, flush=True)\nwhile os.fork(): time.sleep(0.001)\nelse: time.sleep(60)"
    )
    while len(watch.below(pid)) < 5:
        pass
    os.kill(pid, signal.SIGSTOP)
    watch.wait_until_still({pid})
    before = set(watch.below(pid))
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    assert set(watch.below(pid)) == before


def test_a_room_that_keeps_starting_more_stands_back_whole(start):
    """At first its shell does not; it does where there are new ones each time that somebody looks."""
    init = start("import os, time; os.fork() or time.sleep(60); print(1, flush=True); time.sleep(60)")
    [shell] = watch.below(init)
    room = _Room(init, init, {}, (), shell=shell)
    usual = os.getpriority(os.PRIO_PROCESS, shell)
    for eager, wanted in ((2, (usual, usual)), *((3, (19, usual)),) * 4, (0, (19, usual))):
        room.share(watch.Use(eager=eager))
        assert (os.getpriority(os.PRIO_PROCESS, init), os.getpriority(os.PRIO_PROCESS, shell)) == wanted
    for _ in range(5):
        room.share(watch.Use(eager=3))
    assert os.getpriority(os.PRIO_PROCESS, shell) == 19
