"""How a zygote is started at each level of the sandbox: by which command, as whom, with what to see."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.errors import SandboxError
from fairmark.rooms import linux
from fairmark.rooms.bubblewrap import (
    ENVIRONMENT,
    ROOM_UID,
    find_temporary,
    interpreter_mounts,
    refuse_to_show,
    zygote_command,
)
from fairmark.rooms.policy import ALONE, FULL, NONE, SHARED

if TYPE_CHECKING:
    from fairmark.rooms.policy import Policy

_USERS = 400  # so many graders at a time have rooms with users of their own


@dataclass(frozen=True, slots=True)
class Launch:
    """What starts a zygote.

    Parameters
    ----------
    command, environment
        Of its process.
    seen : tuple of str
        The folders that its rooms may read, as they see them.
    path : tuple of str
        Folders that come first on the module search path.
    user : int
        Whom it becomes when it is started by root without bubblewrap; else 0.
    folder : str
        What has to be removed after it; may be empty.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    seen: tuple[str, ...]
    path: tuple[str, ...]
    user: int = 0
    folder: str = ""


def launch(policy: Policy, level: str, descriptor: int) -> Launch:
    """Return what starts the zygote of `policy`.

    Parameters
    ----------
    policy : Policy
    level : str
        One of `fairmark.rooms.policy.LEVELS`, or ``none``.
    descriptor : int
        The inherited socket over which it is controlled.

    Raises
    ------
    SandboxError
        Where this level is not to be had on this machine.
    """
    if level in (ALONE, NONE):
        return _launch_alone(policy, level, descriptor)
    if level not in (FULL, SHARED):
        raise SandboxError(f"there is no level {level!r} of the sandbox")
    mounts = interpreter_mounts()
    environment = _environment()
    if level == SHARED:
        _need_landlock()
        environment |= _keep_temporary_files_in(find_temporary(mounts))
    return Launch(
        command=tuple(zygote_command(policy, descriptor, shared=level == SHARED)),
        environment=environment,
        seen=tuple(mount.inside for mount in (*mounts, *policy.mounts)),
        path=policy.path,
    )


def _environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {**ENVIRONMENT, "PATH": path}


def _keep_temporary_files_in(folder: str) -> dict[str, str]:
    return {"TMPDIR": folder, "IPYTHONDIR": f"{folder}/ipython", "MPLCONFIGDIR": f"{folder}/matplotlib"}


def _need_landlock() -> None:
    if sys.platform != "linux" or not linux.landlock_version():
        raise SandboxError("the kernel has no Landlock (Linux has it since 5.13, where it is switched on)")
    if not linux.knows_machine():
        raise SandboxError("system calls can be refused on x86_64 and aarch64 alone")


def _launch_alone(policy: Policy, level: str, descriptor: int) -> Launch:
    """Return what starts a zygote without bubblewrap: with folders, and if possible a user, of its own."""
    mounts = interpreter_mounts()
    if level == ALONE:
        _need_landlock()
        refuse_to_show(policy.secret, mounts)
    examiner = policy.role == "examiner"
    user = ROOM_UID + 2 * (os.getpid() % _USERS) + examiner if os.geteuid() == 0 else 0
    folder = Path(tempfile.mkdtemp(prefix="room-"))
    (folder / "home").mkdir()
    (folder / "tmp").mkdir()
    for mount in policy.mounts:
        _copy(Path(mount.host), folder / mount.inside.lstrip("/"))
    if user:
        for place, _, names in os.walk(folder):
            for each in (place, *(os.path.join(place, name) for name in names)):  # noqa: PTH118
                os.chown(each, user, user, follow_symlinks=False)
    environment = _environment() | {"HOME": str(folder / "home")}
    environment |= _keep_temporary_files_in(str(folder / "tmp"))
    seen = (mount.inside for mount in mounts)
    return Launch(
        command=(sys.executable, "-sP", "-m", "fairmark.rooms.zygote", str(descriptor)),
        environment=environment,
        seen=(*seen, *(str(folder / mount.inside.lstrip("/")) for mount in policy.mounts)),
        path=tuple(str(folder / inside.lstrip("/")) for inside in policy.path),
        user=user,
        folder=str(folder),
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
