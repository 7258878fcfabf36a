"""What a room may see and use, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass, field

MIB = 2**20

# How far rooms are kept from the machine, best first. Each is tried by breaking out before it is used.
FULL = "bubblewrap"  # bubblewrap outside, namespaces of its own for each room
SHARED = "bubblewrap+landlock"  # bubblewrap outside, Landlock and seccomp for each room
ALONE = "landlock"  # Landlock and seccomp for each room
NONE = "none"  # nothing; only where somebody has asked for it
WARNING = (
    "STUDENT CODE RUNS WITHOUT A SANDBOX. It can read, change and delete whatever you can, the gradebook and "
    "the solutions included, and it can give itself any marks. The result says so."
)
LEVELS = (FULL, SHARED, ALONE)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one room may use.

    Parameters
    ----------
    cell_seconds : float
        Wall clock for one cell; for how long it has no processor, because others use it, is not counted.
    submission_seconds : float
        Wall clock for all cells of one notebook, both rooms together.
    cpu_seconds : float
        Processor time of all processes of the room together.
    memory : int
        Bytes of all processes of the room together, and of what lies on its private disks.
    processes : int
        Processes and threads together.
    open_files : int
        Open files of one process.
    file_size, disk : int
        Bytes of one file, and of all files on each of the room's private disks.
    shared_memory : int
        Bytes in ``/dev/shm``.
    files : int
        Files and folders on each of these disks.
    output : int
        Bytes of one cell's outputs.
    outputs : int
        Number of one cell's outputs.
    notebook_output : int
        Bytes of the outputs of all cells of one notebook.
    """

    cell_seconds: float = 30.0
    submission_seconds: float = 300.0
    cpu_seconds: float = 300.0
    memory: int = 2048 * MIB
    processes: int = 128
    open_files: int = 256
    file_size: int = 128 * MIB
    disk: int = 256 * MIB
    shared_memory: int = 256 * MIB
    files: int = 20_000
    output: int = 4 * MIB
    outputs: int = 200
    notebook_output: int = 48 * MIB


@dataclass(frozen=True, slots=True)
class Mount:
    """One folder or file of the host that a room sees read-only, under `inside`."""

    host: str
    inside: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What the rooms of one kind see, and what is imported before they open.

    Parameters
    ----------
    role : {'student', 'examiner'}
        Whose room it is.
    mounts : tuple of Mount
        Beside the system, the interpreter and the installed packages.
    preload : tuple of str
        Import statements that the zygote executes once.
    path : tuple of str
        Folders (as seen inside) that come first on the module search path.
    secret : tuple of str
        Folders and files of the host that must not be visible: the course, its gradebook.
    without : tuple of str
        Modules that the zygote must not load, because some of its rooms have to do without.
    """

    role: str
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[Mount, ...] = ()
    preload: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
