"""Every level of the sandbox holds, for root and for ordinary users, and the best one is found by trying."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import LIMITS
from courses import answer, check, make_course, notebook, write
from rooms.test_room import run, text

from fairmark.batch import grade_assignment
from fairmark.errors import RoomLost, SandboxError
from fairmark.packages import find_package
from fairmark.rooms import bubblewrap, launch, levels
from fairmark.rooms.levels import open_zygote, try_to_break_out
from fairmark.rooms.policy import ALONE, FULL, LEVELS, NONE, SHARED, Mount, Policy
from fairmark.rooms.room import Zygote

ROOT = Path(__file__).parent.parent.parent
EMPTY = {"work": {}, "trusted": {}}
ORDINARY_USER = 12345

HONEST = [
    "!echo fine",
    "%%bash\necho fine",
    "import os; os.system('echo fine')",
    "import multiprocessing as m\nwith m.Pool(2) as pool: print(pool.map(abs, [-1]), 'fine')",
    "from concurrent.futures import ThreadPoolExecutor as T\nwith T(4) as pool: print(list(pool.map(abs, [-1])), 'fine')",
    "import shutil; open('a', 'w').write('x'); shutil.copy2('a', 'b'); print('fine')",
    "import tempfile\nwith tempfile.TemporaryDirectory() as d: open(d + '/a', 'w').write('fine')\nprint('fine')",
    "import matplotlib.pyplot as plt; plt.plot([1, 2]); print('fine')",
    "await __import__('asyncio').sleep(0)\n'fine'",
]
# Each has to raise.
REFUSED = [
    "open('/etc/shadow').read()",
    "open('/etc/passwd').read()",
    "import sys; open(sys.prefix + '/pyvenv.cfg', 'a')",
    "import numpy; open(numpy.__file__, 'a')",
    "import numpy, os; os.unlink(numpy.__file__)",
    "import numpy, os; os.rename(numpy.__file__, 'x')",
    "import os; os.mknod('device', 0o60666, os.makedev(7, 0))",
    "import os; os.chroot('.')",
    "import os; os.setuid(0)",
    "import os, socket; s = socket.socket(); s.connect(('127.0.0.1', {port}))",
    "import socket; s = socket.socket(); s.bind(('127.0.0.1', {port})); assert False",
    "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "import ctypes; assert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, 0) == 0",
    "import ctypes; assert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0",
    "import os; os.memfd_create('x')",
    "import ctypes; assert ctypes.CDLL(None).syscall(425, 8, 0) >= 0",
    "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
    "import os; open(f'/proc/{{os.getppid()}}/mem', 'wb')\nos.kill({zygote}, 9); assert {zygote} < 9",
    "import os; assert open('/proc/{zygote}/environ').read() and {zygote} > 20",
    "import fcntl, os; fcntl.fcntl(os.open(os.path.dirname(os.__file__), 0), fcntl.F_NOTIFY, fcntl.DN_ACCESS)",
    "import fcntl; open('own', 'w').close(); fcntl.fcntl(open('own'), fcntl.F_SETLEASE, fcntl.F_RDLCK)",
]
# At the levels without namespaces all that a room starts has to stay in its group.
REFUSED_BELOW = [
    "import os; os.setpgid(0, 0) if os.fork() == 0 else os.setpgid(0, 0)",
    "import resource; resource.prlimit({zygote}, resource.RLIMIT_NOFILE, (0, 0))",
    "import os; os.setpriority(os.PRIO_USER, 0, 19)",
    "import os; os.sched_setaffinity({zygote}, [0])",
    "import ctypes; assert ctypes.CDLL(None).syscall({clone}, 0x10000011, 0, 0, 0, 0) >= 0",
    "import ctypes; assert ctypes.CDLL(None).syscall(435, 0, 0) == 0",
    "import ctypes; assert ctypes.CDLL(None).mq_open(b'/left', 0o102, 0o600, None) >= 0",
]
DESTRUCTIVE = [
    "x = []\nwhile True: x.append(bytes(10**7))",
    "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        x = b'a' * (150 * 2**20)\n        time.sleep(20)\ntime.sleep(20)",
    "import os\nwhile True: os.fork()",
    "import os\nwhile os.fork(): pass\nwhile True:\n    if os.fork(): os._exit(0)",
    "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    "import itertools\nfor i in itertools.count(): open(f'/tmp/{i}' if __import__('os').access('/tmp', 2) else f'{i}', 'wb').write(bytes(9 * 2**20))",
    "import os, tempfile\nfor i in range(10**5): open(f'{tempfile.gettempdir()}/{i}', 'w')",
    "import os\nfor i in range(3000): os.mkdir('d'); os.chdir('d')",
    "import os\nos.makedirs('closed/inner'); open('closed/inner/x', 'w'); os.chmod('closed/inner', 0); os.chmod('closed', 0)\nos.symlink('/', 'root'); os.mkfifo('pipe')\nopen('odd\\nname \\udcff', 'w')",
    "import os, signal\nfor pid in (os.getppid(), -os.getpgid(0), -1):\n    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass",
    "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        os.execvp('sleep', ['sleep', '{mark}'])\n    os._exit(0)\nos._exit(0)",
    "import subprocess; [subprocess.Popen('trap \"\" TERM HUP INT; sleep {mark}; sleep {mark}', shell=True) for _ in range(5)]",
    "import ctypes; ctypes.string_at(0)",
    "import socket, os\nkept = socket.socketpair()\ns = socket.socket(socket.AF_UNIX); s.bind('left.sock'); s.listen()",
]


@pytest.fixture(scope="module", params=LEVELS)
def zygote(request):
    with Zygote(Policy("student", LIMITS, preload=("import numpy as np",)), request.param) as zygote:
        yield zygote


def attempt(zygote, cell, seconds=20):
    """Run a cell in a room of its own; the room may be lost."""
    with zygote.open_room(EMPTY, 1) as room:
        try:
            return run(room, cell, seconds)
        except (RoomLost, TimeoutError) as lost:
            return False, [{"evalue": str(lost)}]


def test_no_attempt_to_break_out_succeeds(zygote):
    """Files, processes, sockets, the network and the kernel are out of reach, and nothing is left."""
    assert try_to_break_out(zygote) == []


@pytest.mark.parametrize("cell", HONEST)
def test_honest_cells_run_at_every_level(zygote, cell):
    """Shell commands, processes, threads, copies, temporary files and figures work."""
    good, outputs = attempt(zygote, cell)
    if "multiprocessing" in cell and zygote.level == ALONE and os.geteuid():
        pytest.xfail("without a user of its own a room has no shared memory")
    assert good, outputs
    assert "fine" in text(outputs)


def test_what_is_refused_is_refused_at_every_level(zygote):
    """Each attempt is an error in the cell."""
    cells = REFUSED + (REFUSED_BELOW if zygote.level != FULL else [])
    values = {"port": 9, "zygote": zygote.process.pid, "clone": 56 if os.uname().machine == "x86_64" else 220}
    with zygote.open_room(EMPTY, 1) as room:
        allowed = [cell for cell in cells if run(room, cell.format(**values))[0]]
    assert allowed == []


def test_whatever_a_room_does_the_next_is_as_new_and_nothing_is_left(zygote):
    """Bombs of every kind end with their room: no process, file or socket, and the zygote goes on."""
    mark = f"4242.{os.getpid():07}"
    look = (
        "import os, sys, tempfile\nleft = []\n"
        "for place in ('.', tempfile.gettempdir(), '/dev/shm'):\n"
        "    try: left += [each for each in os.scandir(place) if each.stat().st_uid == os.getuid()]\n"
        "    except PermissionError: pass\n"
        "left = [each for each in left if not sys.prefix.startswith(f'{each.path}/')]\n"  # the environment
        "print([each.name for each in left if each.name not in ('ipython', 'matplotlib')])"
    )
    for cell in DESTRUCTIVE:
        attempt(zygote, cell.replace("{mark}", mark), 2)
        good, outputs = attempt(zygote, look)
        assert (good, text(outputs)) == (True, "[]\n"), cell
    assert not levels._is_running(mark)


def test_an_environment_among_temporary_files_cannot_be_moved_away(monkeypatch):
    """Where rooms share folders, and Python's packages lie in ``/tmp``, rooms keep their own files beside."""
    with tempfile.TemporaryDirectory(dir="/tmp") as environment:
        Path(environment).chmod(0o755)
        packages = Path(environment, "packages")
        packages.mkdir()
        mounts = [*bubblewrap.interpreter_mounts(), Mount(str(packages), str(packages))]
        for module in (bubblewrap, launch):
            monkeypatch.setattr(module, "interpreter_mounts", lambda: list(mounts))
        with Zygote(Policy("student", LIMITS), SHARED) as zygote:
            assert try_to_break_out(zygote) == []
            for cell in (
                f"import os; os.rename({environment!r}, '/tmp/away')",
                f"open('{environment}/x', 'w')",
            ):
                assert not attempt(zygote, cell)[0], cell
            assert attempt(zygote, "import tempfile; tempfile.mkstemp('left')")[0]
            look = "import os, tempfile; assert not [n for n in os.listdir(tempfile.gettempdir()) if 'left' in n]"
            assert attempt(zygote, look)[0]


def test_forbidden_packages_are_absent_at_every_level(zygote):
    """Below full isolation they cannot be read."""
    package = find_package("scipy")
    if package is None:
        pytest.skip("scipy is not installed")
    with zygote.open_room(EMPTY, 1, (package,)) as room:
        good, outputs = run(room, "import scipy")
        assert not good
        assert "has to be solved without scipy" in text(outputs)
        assert not run(room, "import sys; sys.meta_path.pop(0); from scipy import ndimage")[0]
        assert run(room, "import numpy, IPython, matplotlib.pyplot")[0]


def test_memory_is_limited_at_every_level(zygote):
    """All processes of the room together, and the grader is told so."""
    with zygote.open_room(EMPTY, 1) as room, pytest.raises(RoomLost) as lost:
        run(room, DESTRUCTIVE[1])
    assert lost.value.reason == "memory"


def test_one_room_at_a_time_where_rooms_share_their_folders(zygote):
    """A second one would see the first; with namespaces of their own they do not."""
    with zygote.open_room(EMPTY, 1):
        if zygote.level == FULL:
            zygote.open_room(EMPTY, 1).close()
        else:
            with pytest.raises(SandboxError, match="one room at a time"):
                zygote.open_room(EMPTY, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="is run by the tests of root")
def test_all_of_this_holds_for_an_ordinary_user(tmp_path):
    """The same tests, run by a user without any privilege."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, ORDINARY_USER, ORDINARY_USER)
    script = (
        "import os, sys\nfrom fairmark.rooms.zygote import _leave_root\n"
        f"_leave_root({ORDINARY_USER}, [sys.prefix, sys.base_prefix, {str(ROOT)!r}, {str(home)!r}])\n"
        f"os.environ.update(HOME={str(home)!r}, TMPDIR={str(home)!r})\n"
        f"os.execv(sys.executable, [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', '-p', 'no:xdist', '-k', 'break_out or refused or as_new', "
        f"'--basetemp', {str(home / 'pytest')!r}, {str(Path(__file__))!r}])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def fail_at(monkeypatch, *broken):
    """Let levels fail to start, or give way."""
    monkeypatch.setattr(levels, "_found", [])
    start = levels.Zygote

    def begin(policy, level):
        if level in broken:
            raise SandboxError("it does not work here")
        return start(policy, level)

    monkeypatch.setattr(levels, "Zygote", begin)


@pytest.mark.parametrize(("broken", "reached"), [((), FULL), ((FULL,), SHARED), ((FULL, SHARED), ALONE)])
def test_the_best_level_that_holds_is_taken(monkeypatch, broken, reached):
    """One after the other is tried; what was found is kept for the next zygote."""
    fail_at(monkeypatch, *broken)
    with open_zygote(Policy("student", LIMITS)) as zygote:
        assert zygote.level == reached
    assert levels._found == [reached]


def test_a_level_that_student_code_breaks_out_of_is_not_taken(monkeypatch):
    """Starting is not enough."""
    fail_at(monkeypatch)
    tries = iter([["reads a file of yours"], []])
    monkeypatch.setattr(levels, "try_to_break_out", lambda _: next(tries))
    with open_zygote(Policy("student", LIMITS)) as zygote:
        assert zygote.level == SHARED


def test_the_trial_finds_that_no_sandbox_is_none():
    """An attempt to break out that cannot succeed would prove nothing."""
    with open_zygote(Policy("student", LIMITS), NONE) as zygote:
        escaped = try_to_break_out(zygote)
    for words in ("reads a file of yours", "reaches a server", "reaches a socket", "sees processes"):
        assert any(words in each for each in escaped), (words, escaped)


def test_without_any_sandbox_grading_is_refused_with_an_explanation(monkeypatch):
    """It never falls to `none` on its own, and says of each level why, and what to do."""
    fail_at(monkeypatch, *LEVELS)
    with pytest.raises(SandboxError) as refused:
        open_zygote(Policy("student", LIMITS))
    told = str(refused.value)
    assert "nothing is graded" in told
    assert all(f"{level}: it does not work here" in told for level in LEVELS)
    assert "kernel.apparmor_restrict_unprivileged_userns" in told
    with pytest.raises(SandboxError, match="There is no level 'strong'"):
        open_zygote(Policy("student", LIMITS), "strong")


def test_elsewhere_than_on_linux_a_container_is_advised(monkeypatch):
    """There is nothing to fall back on."""
    monkeypatch.setattr(levels.sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="container"):
        open_zygote(Policy("student", LIMITS), NONE)


def test_a_kernel_without_landlock_is_told(monkeypatch):
    """The two lower levels need it."""
    monkeypatch.setattr("fairmark.rooms.linux.landlock_version", lambda: 0)
    for level in (SHARED, ALONE):
        with pytest.raises(SandboxError, match="no Landlock"):
            Zygote(Policy("student"), level)


@pytest.mark.parametrize("level", LEVELS)
def test_tests_that_import_the_courses_own_checks_run_at_every_level(tmp_path, level):
    """The folder ``autograder/`` is there for the tests, and the rooms' own folders still are."""
    checks = tmp_path / "autograder" / "numbers.py"
    checks.parent.mkdir()
    checks.write_text("def is_mean(function):\n    assert function([2, 4]) == 3")
    hidden = (
        "### BEGIN HIDDEN TESTS\nfrom autograder.numbers import is_mean\nis_mean(mean)\n### END HIDDEN TESTS"
    )
    node = notebook(answer(), check(hidden))
    course = make_course(tmp_path, {"numbers": node}, f"c.Fairmark.sandbox = {level!r}")
    write(course.root / "submitted/ann/ps1/numbers.ipynb", node)
    batch = grade_assignment(course, "ps1", workers=1)
    assert [(result.score, result.grader.sandbox) for result in batch.results] == [(4, level)]
