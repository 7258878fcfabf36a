"""The Linux calls that rooms need and Python lacks: namespaces, mounts, capabilities, seccomp, Landlock."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from signal import SIGCHLD

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_EINVAL = 22

# Calls that a notebook has no use for and that reach into the kernel, or around the limits of memory: memory
# that no process maps (memfd, System V), io_uring, other processes, keys, mounts. By architecture: the name
# that seccomp has for it, and the numbers.
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FORBIDDEN = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "syslog": (103, 116),
    "pidfd_getfd": (438, 438),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
}
_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "loongarch64": 220, "ppc64le": 120}
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_REFUSE = _ERRNO | 1  # EPERM
_X32 = 0x40000000
_NUMBER_OFFSET, _ARCH_OFFSET, _ARGUMENT_OFFSET = 0, 4, 16

_libc = ctypes.CDLL(None, use_errno=True)
_whole = ctypes.PyDLL(None, use_errno=True)  # without letting another thread of Python's run meanwhile


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Enter new namespaces."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def fork_into(namespaces: int) -> int:
    """Fork a child that is the first process of new namespaces; return its number, in the child 0.

    With `unshare` it takes a fork more, and with it one more copy of all page tables. What Python does at a
    fork is done; what C libraries have asked for is not, so that no other thread may run.

    Raises
    ------
    OSError
        Where the kernel refuses, or the number of the call is not known for this kind of processor.
    """
    number = _CLONE.get(platform.machine())
    if number is None:
        raise OSError(0, f"how namespaces are entered on {platform.machine()} is not known")
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    pid = int(_whole.syscall(ctypes.c_long(number), ctypes.c_ulong(namespaces | SIGCHLD), 0, 0, 0, 0))
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
        _checked(min(pid, 0), "clone")
    return pid


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount a file system."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode() or None
    )
    _checked(result, f"mount {kind} on {target}")


def end_with_parent(signal: int) -> None:
    """Ask the kernel for `signal` when the parent ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0), "prctl PDEATHSIG")


def adopt_orphans() -> None:
    """Become the parent of every process below whose own parent ends."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl CHILD_SUBREAPER")


def be_observable() -> None:
    """Let processes of the same user see what this one uses, although it has changed its user."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1), 0, 0, 0), "prctl DUMPABLE")


def drop_privileges(*, bounding: bool = True) -> None:
    """Give up every capability, now and after any exec, for good.

    `bounding` empties the bounding set, too, which takes a capability: a user's own process has none to lose.
    """
    for capability in range(64 if bounding else 0):
        if _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            if ctypes.get_errno() == _EINVAL:  # the kernel knows no further capability
                break
            _checked(-1, "prctl CAPBSET_DROP")
    _libc.prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "prctl NO_NEW_PRIVS")


def forbid_calls() -> None:
    """Refuse the calls of `_FORBIDDEN`, and every call of another architecture, with EPERM, for good.

    So are sockets refused of all families but `_FAMILIES`, and leases and notices of files.

    Elsewhere than on x86_64 and aarch64 the filter is left out; what it forbids is then only limited by
    namespaces and capabilities.
    """
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        return
    column = list(_AUDIT_ARCH).index(machine)
    numbers = [numbers[column] for numbers in _FORBIDDEN.values()]
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCH_OFFSET),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_AT_LEAST, len(numbers) + 1, 0, _X32),
        *((_JUMP_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    _add_filter(steps)
    refuse_calls(_BY_ARGUMENT)


def _add_filter(steps: list[tuple[int, int, int, int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    result = _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), program, 0, 0)
    _checked(result, "prctl SECCOMP")


@dataclass(frozen=True, slots=True)
class Rule:
    """A call that is refused: always, or for some values of one argument.

    Parameters
    ----------
    numbers : tuple of int
        The call's, on x86_64 and aarch64; -1 where there is none.
    argument : int
        Which argument decides (the lower 32 bits of it); -1 for a call that is always refused.
    values : tuple of int
        For which it is refused; with `inverted`, for all others; with `bits`, where any of the bits is set.
    error : int
        What the call returns; 0 makes it do nothing and say that all is well.
    """

    numbers: tuple[int, int]
    argument: int = -1
    values: tuple[int, ...] = ()
    inverted: bool = False
    bits: bool = False
    error: int = 1


# Not every family of sockets knows namespaces: AF_VSOCK leads from a virtual machine to its host and to other
# rooms, AF_ALG into the kernel's ciphers.
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_EAFNOSUPPORT = 97
_BY_ARGUMENT = [
    *(Rule(call, 0, _FAMILIES, inverted=True, error=_EAFNOSUPPORT) for call in ((41, 198), (53, 199))),
    # Rooms read the same files. A lease holds up who opens one; a notice tells what another room opens, by a
    # signal that ends whoever does not expect it.
    Rule((72, 25), 1, (1024, 1026)),  # fcntl F_SETLEASE, F_NOTIFY
]


def keep_session() -> None:
    """Let no process below this one begin a session of its own, for good; it seems to work.

    Linux may share the processor among sessions, so that a hundred of them would have it all.
    """
    if knows_machine():
        refuse_calls([Rule((112, 157), error=0)])  # setsid


def knows_machine() -> bool:
    """Tell whether calls can be refused on this kind of processor."""
    return platform.machine() in _AUDIT_ARCH


def refuse_calls(rules: list[Rule]) -> None:
    """Refuse calls, beside those of `forbid_calls`, for good."""
    column = list(_AUDIT_ARCH).index(platform.machine())
    steps: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, _NUMBER_OFFSET)]
    for rule in rules:
        number = rule.numbers[column]
        if number >= 0:
            refusal = (_RETURN, 0, 0, _ERRNO | rule.error)
            body = [refusal] if rule.argument < 0 else _test_argument(rule, refusal)
            steps += [(_JUMP_EQUAL, 0, len(body), number), *body]
    _add_filter([*steps, (_RETURN, 0, 0, _ALLOW)])


def _test_argument(rule: Rule, refusal: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    """Return the steps that refuse or allow a call by one of its arguments."""
    jump = _JUMP_BITS if rule.bits else _JUMP_EQUAL
    allowance = (_RETURN, 0, 0, _ALLOW)
    met, unmet = (allowance, refusal) if rule.inverted else (refusal, allowance)
    tests = [
        (jump, len(rule.values) - place, 0, value & 0xFFFFFFFF) for place, value in enumerate(rule.values)
    ]
    return [(_LOAD, 0, 0, _ARGUMENT_OFFSET + 8 * rule.argument), *tests, unmet, met]


# --- Landlock ----------------------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# The rights over files that each version of Landlock knows; later ones know as many as the fifth.
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK_VERSION, LANDLOCK_SIGNALS = 4, 6


def landlock_version() -> int:
    """Return which version of Landlock the kernel has; 0 where it has none, or does not use it."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def confine(readable: list[str], writable: list[str]) -> None:
    """Give up every file but these, all TCP, and signals to other processes than one's own, for good.

    Parameters
    ----------
    readable : list of str
        Folders and files that may be read and executed; a folder with a slash at its end may only be listed.
    writable : list of str
        Folders in which everything is allowed, and devices.

    Raises
    ------
    OSError
        Where the kernel has no Landlock.
    """
    version = landlock_version()
    if not version:
        raise OSError(0, "the kernel has no Landlock")
    rights = _RIGHTS[min(version, max(_RIGHTS))]
    network = 3 if version >= _NETWORK_VERSION else 0
    scopes = 3 if version >= LANDLOCK_SIGNALS else 0
    # A kernel takes a longer record than it knows where the rest of it is zero.
    attributes = struct.pack("=QQQ", rights, network, scopes)
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    _checked(min(ruleset, 0), "landlock_create_ruleset")
    try:
        for path in readable:
            _allow(ruleset, path, rights & (_READ_DIR if path.endswith("/") else 13))
        for path in writable:
            _allow(ruleset, path, rights & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV))
        result = _libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
        _checked(result, "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH)
    try:
        if not os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112 - one of hundreds
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        result = _libc.syscall(
            _ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint32(0)
        )
        _checked(result, f"landlock_add_rule {path}")
    finally:
        os.close(descriptor)
