"""Each room has a cgroup of its own where one can be made: the kernel bounds its memory, the watcher comes second."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import LIMITS
from rooms.test_room import run, text

from fairmark.errors import RoomLost
from fairmark.rooms import watch
from fairmark.rooms.cgroup import Ground, find_ground, locate_own
from fairmark.rooms.policy import LEVELS, MIB, Policy
from fairmark.rooms.room import Zygote
from fairmark.rooms.wire import pack_frame

ROOT = Path(__file__).parent.parent.parent
EMPTY = {"work": {}, "trusted": {}}
ORDINARY_USER = 12345
SENTENCE = "stopped because it used more than 400 MiB of memory"
# Shared memory is asked for at once and filled by the kernel itself: nothing is faster.
GREEDY = "import mmap\nkept = [mmap.mmap(-1, 2**27, flags=0x8000 | mmap.MAP_SHARED | mmap.MAP_ANONYMOUS) for _ in range(16)]"
CHILDREN = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        kept = bytearray(100 * 2**20)
        time.sleep(60)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def ground():
    found = find_ground()
    if found is None:
        pytest.skip("no cgroup that bounds memory can be made here")
    return found


def ours(ground):
    """Return the cgroups of rooms that this process has made, of other tests' zygotes, too."""
    return set(ground.folder.glob(f"fairmark-room-{os.getpid()}-*"))


def kills(fence):
    return int(re.search(r"^oom_kill (\d+)$", (fence.folder / fence.events).read_text(), re.MULTILINE)[1])


@contextmanager
def no_watcher(zygote, fence):
    """Stop the zygote and the keepers of its rooms, so that the kernel alone can end what is in a room."""
    inside = {int(pid) for pid in (fence.folder / "cgroup.procs").read_text().split()}
    outside = [zygote.process.pid, *(set(watch.below(zygote.process.pid)) - inside)]
    for pid in outside:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in outside:
            os.kill(pid, signal.SIGCONT)


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.usefixtures("ground")
@pytest.mark.parametrize("cell", [GREEDY, CHILDREN], ids=["one process", "children together"])
def test_the_kernel_ends_what_the_watcher_does_not_see(student_zygote, cell):
    """While the watcher sleeps, memory stays within the limit; the student reads the sentence about memory."""
    with student_zygote.open_room(EMPTY, 1) as room:
        fence = student_zygote.fences[room.number]
        with no_watcher(student_zygote, fence):
            room.send(pack_frame(["run"], cell), time.monotonic() + 10)
            wait_for(lambda: kills(fence))
        with pytest.raises(RoomLost) as lost:
            room.receive(time.monotonic() + 20)
    assert (str(lost.value), lost.value.reason, lost.value.limit) == (SENTENCE, "memory", "memory")
    assert not fence.folder.exists()


@pytest.mark.parametrize("level", LEVELS)
def test_a_rooms_processes_are_inside_from_the_start(ground, level):
    """At every level all that a room starts is in its cgroup, the keeper outside; nothing of it stays."""
    before = ours(ground)
    with Zygote(Policy("student", LIMITS), level) as zygote:
        with zygote.open_room(EMPTY, 1) as room:
            fence = zygote.fences[room.number]
            procs = fence.folder / "cgroup.procs"
            assert zygote.fenced
            first = set(procs.read_text().split())
            assert len(first) == 2  # the room's process 1 and its shell
            assert run(room, "import subprocess; child = subprocess.Popen(['sleep', '60'])")[0]
            assert len(set(procs.read_text().split()) - first) == 1
            limit = "memory.max" if ground.version == 2 else "memory.limit_in_bytes"
            assert int((fence.folder / limit).read_text()) == LIMITS.memory
        assert not fence.folder.exists()
        left = zygote.open_room(EMPTY, 2)
        assert len(ours(ground) - before) == 1
    assert left.open  # nobody has closed it; the end of its zygote did
    assert ours(ground) == before


def test_two_rooms_do_not_disturb_each_other(ground, student_zygote):
    """One that is ended for its memory leaves another alone, which holds nearly as much as it may."""
    before = ours(ground)
    with student_zygote.open_room(EMPTY, 1) as calm:
        assert run(calm, "kept = bytearray(250 * 2**20)")[0]
        with student_zygote.open_room(EMPTY, 2) as greedy, pytest.raises(RoomLost) as lost:
            run(greedy, GREEDY)
        assert lost.value.reason == "memory"
        assert text(run(calm, "len(kept)")[1]) == str(250 * 2**20)
        assert not kills(student_zygote.fences[calm.number])
    assert ours(ground) == before


@pytest.mark.usefixtures("ground")
def test_what_a_killed_grader_leaves_is_swept_away():
    """Only empty cgroups of graders that are gone: those of a living one stay."""
    code = "import sys; from fairmark.rooms.cgroup import *; print(find_ground().enclose(2**28).folder); sys.stdout.flush(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as grader:
        folder = Path(grader.stdout.readline().strip())
        assert folder.is_dir()
        find_ground()
        assert folder.is_dir()
        grader.kill()
    find_ground()
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_where_no_cgroup_can_be_made_the_watcher_does(ground, tmp_path_factory):
    """A user to whom no cgroup was given grades as well; too much memory is ended, with the same words."""
    assert ground.folder.stat().st_uid == 0
    home = tmp_path_factory.mktemp("ordinary")
    home.chmod(0o777)
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from rooms.test_room import run
from conftest import LIMITS
from fairmark.rooms.cgroup import find_ground
from fairmark.rooms.levels import open_zygote
from fairmark.rooms.policy import Policy
from fairmark.errors import RoomLost
assert os.getuid() == {ORDINARY_USER} and find_ground() is None
with open_zygote(Policy("student", LIMITS)) as zygote, zygote.open_room({EMPTY!r}, 1) as room:
    assert not zygote.fenced
    try:
        run(room, "kept = []\\nwhile True:\\n    try: kept.append(bytearray(2**20))\\n    except MemoryError: pass")
    except RoomLost as lost:
        print(lost, lost.limit)
"""
    become = (
        "import os, sys\nfrom fairmark.rooms.zygote import _leave_root\n"
        f"_leave_root({ORDINARY_USER}, [sys.prefix, sys.base_prefix, {str(ROOT)!r}, {str(home)!r}])\n"
        f"os.environ.update(HOME={str(home)!r}, TMPDIR={str(home)!r})\n"
        f"os.execv(sys.executable, [sys.executable, '-c', {code!r}])"
    )
    told = subprocess.run(
        [sys.executable, "-c", become], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.stdout.strip() == f"{SENTENCE} memory", told.stderr


def test_a_cgroup_that_nothing_enters_is_given_up(ground, student_zygote, monkeypatch):
    """The room then opens without one, and nothing of it stays."""

    def open_wrong_gate(fence):
        return os.open(os.devnull, os.O_WRONLY), os.open(fence.folder / fence.events, os.O_RDONLY)

    before = ours(ground)
    monkeypatch.setattr("fairmark.rooms.cgroup.Fence.open_gate", open_wrong_gate)
    with student_zygote.open_room(EMPTY, 1) as room:
        assert not student_zygote.fenced
        assert ours(ground) == before
        assert run(room, "1")[0]


V1 = "36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
V2 = "26 20 0:22 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
USER = "/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "found"),
    [
        ("9:name=systemd:/\n4:cpu,memory:/a/b\n", V1, [("/sys/fs/cgroup/memory/a/b", 1)]),
        (f"0::{USER}\n", V2, [(f"/sys/fs/cgroup{USER}", 2)]),
        # A container sees a part of the machine's tree: the mount says which.
        ("4:memory:/docker/ab/c\n", V1.replace(" / /sys", " /docker/ab /sys"), [("/sys/fs/cgroup/memory/c", 1)]),
        ("4:memory:/elsewhere\n", V1.replace(" / /sys", " /docker/ab /sys"), []),
        ("0::/../other\n", V2, []),
        ("0::/a:b\n", V2.replace("/sys/fs/cgroup", "/with\\040space"), [("/with space/a:b", 2)]),
        ("3:cpu:/a\n", V1.replace("rw,memory", "rw,cpu"), []),
        ("", "nonsense\n", []),
    ],
)  # fmt: skip
def test_a_process_finds_its_own_cgroup(cgroup, mountinfo, found):
    """Of both kinds, from the kernel's own words."""
    assert [(str(each.folder), each.version) for each in locate_own(cgroup, mountinfo)] == found


def test_the_kernels_counts_are_read(tmp_path):
    """Both kinds of file tell whether a process was ended; a folder that imitates them has to do for this one."""
    for words, ended in (
        ("low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n", False),
        ("low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n", True),
        (
            "low 0\nhigh 0\nmax 0\noom 0\noom_kill 2\noom_group_kill 0\n",
            False,
        ),  # the machine was full, not the room
        ("oom_kill_disable 1\nunder_oom 1\noom_kill 0\n", False),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", True),
        ("", False),
    ):
        path = tmp_path / "memory.events"
        path.write_text(words)
        with path.open() as events:
            assert watch.ran_out(events.fileno()) is ended
            assert watch.ran_out(events.fileno()) is ended  # again: it is read from its start
    assert not watch.ran_out(None)


def test_no_cgroup_comes_of_a_folder_that_is_none(tmp_path):
    """Where a file of the kernel's is missing, or nothing may be made, there is none, and nothing is left."""
    assert Ground(tmp_path / "missing", 2).enclose(MIB) is None
