"""What is known of a student's git work, as frozen records of plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

RULE_IDS = (
    "fork_reachable",
    "is_fork",
    "has_own_commits",
    "pushed",
    "on_branch",
    "pr_opened",
    "pr_from_own_fork",
    "pr_has_changes",
    "right_file",
    "fix_present",
    "minimal",
    "clean_merge",
    "pr_merged",
    "author_matches",
    "dates_plausible",
    "on_time",
    "no_big_files",
    "message_ok",
)

Verdict = Literal["pass", "fail", "unknown", "na"]
ForkState = Literal["answered", "empty", "missing", "malformed", "unreachable"]
Kinship = Literal["fork", "upstream", "template", "re-upload", "unrelated", ""]


@dataclass(frozen=True, slots=True)
class Task:
    """The one correction that students propose.

    Parameters
    ----------
    path : str
        Of the page, from the repository's root.
    former_paths : tuple of str
        Where the page lay before.
    wrong : tuple of str
        Words that must be gone from the page.
    correct : tuple of str
        The corrected sentence; each of several is right.
    max_bytes : int
        No file of a student's commits may be larger.
    opens, due : float or None
        Seconds since 1970, UTC.
    hosts : tuple of str
        Servers, beside upstream's own and the public ones, that forks may lie on.
    upstream : str
        Where the original lies.
    reference : str
        The fork's address in the reference solution; a rehearsal stands for it.
    """

    path: str
    correct: tuple[str, ...]
    wrong: tuple[str, ...]
    former_paths: tuple[str, ...] = ()
    max_bytes: int = 2**20
    opens: float | None = None
    due: float | None = None
    hosts: tuple[str, ...] = ()
    upstream: str = ""
    reference: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The page's path of today, then its former ones."""
        return (self.path, *self.former_paths)


@dataclass(frozen=True, slots=True)
class Student:
    """One line of the roster; e-mail addresses and the login are in lower case."""

    id: str
    name: str = ""
    emails: tuple[str, ...] = ()
    login: str = ""
    fork: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who a commit names."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as it stands in the repository; times are seconds since 1970."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored: float
    committed: float
    message: str
    coauthors: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between base and head; a mode of ``000000`` means that there is none."""

    path: str
    status: str
    old_mode: str
    new_mode: str


@dataclass(frozen=True, slots=True)
class Page:
    """The asked file before and after, at the path where the student changed it.

    Parameters
    ----------
    path : str
    mode : str
        After; ``100644`` and ``100755`` are regular files, ``120000`` is a link.
    before, after : bytes or None
        None where there is no such file, or it is larger than is read.
    """

    path: str
    mode: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Fork:
    """What the fork's address gave.

    Parameters
    ----------
    address : str
        As the student wrote it.
    state : {'answered', 'empty', 'missing', 'malformed', 'unreachable'}
        `missing`: the server says that there is no such repository; `unreachable`: there was no answer.
    words : str
        What is wrong, for the student.
    kinship : str
        How its history is related to upstream's.
    seen_at : float or None
        When it was seen, where this is not what it gives now.
    """

    address: str
    state: ForkState
    words: str = ""
    kinship: Kinship = ""
    seen_at: float | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A head that may be the student's work: of a pull request, or of a branch of the fork.

    Parameters
    ----------
    head : str
    pull : int or None
        The pull request's number.
    base : str
        Newest commit of upstream's main line that the head contains; empty where there is none.
    main : str
        Upstream's newest commit when this was seen.
    own : tuple of Commit
        Without empty commits and plain synchronizing merges, oldest first.
    passed_over : int
        How many of those there are.
    classmates : tuple of str
        Ids of own commits that name a classmate and not the student.
    changes : tuple of Change
        From base to head, the first few hundred.
    pages : tuple of Page
        The asked file, at each of its paths that was changed; else where it lies.
    large : tuple of str
        Files over the limit anywhere in the own commits, as words.
    in_fork, on_default : bool or None
        The head is reachable from a head of the fork; only from its default branch. None: not known.
    in_upstream : bool
        The head is (part of) a branch of upstream's that is not its main one.
    pushed : bool
        It was seen on a server, not in a bundle.
    clean : bool or None
        It merges without conflicts into `main`.
    clean_now : bool or None
        It merges without conflicts into upstream as it is now.
    merged : {'', 'merge', 'squash', 'rebase', 'fast-forward'}
    seen_at : float
        When this head was first seen.
    opened_at : float or None
        When the forge says that the pull request was opened.
    """

    head: str
    pull: int | None = None
    base: str = ""
    main: str = ""
    own: tuple[Commit, ...] = ()
    passed_over: int = 0
    mine: tuple[str, ...] = ()
    classmates: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    pages: tuple[Page, ...] = ()
    large: tuple[str, ...] = ()
    in_fork: bool | None = None
    on_default: bool | None = None
    in_upstream: bool = False
    pushed: bool = True
    clean: bool | None = None
    clean_now: bool | None = None
    merged: str = ""
    base_date: float = 0.0
    seen_at: float = 0.0
    opened_at: float | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """What a forge says of a pull request: who opened it (in lower case), when, and how it stands."""

    login: str
    at: float
    title: str = ""
    state: str = ""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the rules look at: one student, one head.

    Parameters
    ----------
    work : Work or None
        None where nothing of the student's was found.
    strangers : int
        Pull requests upstream that belong to nobody of the roster.
    upstream : str
        What is wrong with upstream, in words; empty where it answered.
    """

    task: Task
    student: Student
    fork: Fork
    now: float
    work: Work | None = None
    strangers: int = 0
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found: a verdict, a sentence for the student, and what to try next."""

    rule: str
    verdict: Verdict
    message: str
    hint: str = field(default="")
