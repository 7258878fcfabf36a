"""What processes use is seen from outside, whatever they do to hide it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fairmark.rooms import watch

MIB = 2**20
# What holds memory says so, and waits.
HOLD = "import sys, time; data = bytearray(64 * 2**20); print(1, flush=True); time.sleep(60)"
FIRST_THREAD_ENDS = """
import ctypes, threading, time
def hold():
    data = bytearray(64 * 2**20)
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
        time.sleep(0.05)
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
