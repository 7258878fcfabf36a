"""The rules: each is a small pure function from evidence to a verdict and a sentence for the student."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairmark.repository.records import RULE_IDS, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairmark.repository.records import Commit, Page, Task, Verdict, Work

    Rule = Callable[[Evidence], "_Said"]

RULES: dict[str, Rule] = {}

_DAY = 86400.0
_REGULAR = ("100644", "100755")
_SHORTEST_MESSAGE = 8
_TRAILER = re.compile(
    r"^(co-authored-by|signed-off-by|reviewed-by|change-id):.*$", re.IGNORECASE | re.MULTILINE
)
_WEB_MESSAGE = re.compile(
    r"(Update|Create|Delete|Rename) (\S.*\.\w+|README\w*)( to \S+)?|Add files via upload", re.ASCII
)
# fmt: off
_PHRASES = frozenset((
    "update", "updates", "updated", "update file", "update files", "updated file", "updated files",
    "changes", "changed", "some changes", "my changes", "minor changes", "small changes",
    "changes made", "made changes", "commit changes", "apply changes", "save changes", "new changes",
    "more changes", "latest changes", "final changes", "new update", "latest update", "my update",
    "made some changes", "file changed", "changed file", "my commit",
    "first commit", "my first commit", "initial commit", "new commit", "test commit", "commit message",
    "another commit", "second commit", "last commit", "final commit", "final version",
    "work in progress", "no message", "empty message", "my message", "message here",
    "your message here", "bug fix", "bug fixes", "bugfixes", "quick fix", "small fix", "minor fix",
    "various fixes", "some fixes", "fixed it", "fixed bug", "fixed the bug", "homework", "my homework",
    "assignment", "my assignment", "exercise", "solution", "my solution", "asdfasdf", "asdfghjk",
    "asdfghjkl", "qwertyui", "qwertyuiop", "testtest", "test test", "testing", "abcdefgh", "12345678",
    "123456789", "1234567890", "blah blah", "whatever", "something", "saved my work", "save work",
))
# fmt: on


class _Said(tuple[str, str, str]):
    """Verdict, message and hint."""

    __slots__ = ()

    def __new__(cls, verdict: Verdict, message: str, hint: str = "") -> _Said:
        return super().__new__(cls, (verdict, message, hint))


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Apply all rules to one student's evidence, in the order of `RULE_IDS`."""
    return tuple(Finding(rule, *RULES[rule](evidence)) for rule in RULE_IDS)  # type: ignore[arg-type]


def count_passed(findings: tuple[Finding, ...]) -> int:
    """Return how many rules pass, without the one that is information only."""
    return sum(finding.verdict == "pass" for finding in findings if finding.rule != "pr_merged")


def _rule(function: Callable[[Evidence], _Said]) -> Callable[[Evidence], _Said]:
    RULES[function.__name__] = function
    return function


def _rule_of_work(body: Callable[[Evidence, Work], _Said]) -> Callable[[Evidence], _Said]:
    """Make a rule of a function that needs own commits to look at."""

    def look(evidence: Evidence) -> _Said:
        work = evidence.work
        if work is not None and work.own:
            return body(evidence, work)
        if _is_unseen(evidence):
            return _Said("unknown", f"This could not be looked at: {_why_unseen(evidence)}.")
        return _Said("na", "There are no commits of yours yet, so there is nothing to judge.")

    RULES[body.__name__] = look
    return look


def _rule_of_pull(body: Callable[[Evidence, Work], _Said]) -> Callable[[Evidence], _Said]:
    """Make a rule of a function that needs a pull request to look at."""

    def look(evidence: Evidence) -> _Said:
        work = evidence.work
        if work is not None and work.pull is not None:
            return body(evidence, work)
        if _is_pull_unseen(evidence):
            return _Said("unknown", f"This could not be looked at: {_why_unseen(evidence)}.")
        return _Said("na", "There is no pull request of yours yet, so there is nothing to judge.")

    RULES[body.__name__] = look
    return look


def _is_unseen(evidence: Evidence) -> bool:
    """Tell whether work of the student's may be somewhere that could not be looked at."""
    if evidence.work is not None:
        return False
    return bool(evidence.upstream) or evidence.fork.state in ("missing", "malformed", "unreachable")


def _is_pull_unseen(evidence: Evidence) -> bool:
    """Tell whether there may be a pull request of the student's that cannot be known as theirs."""
    if evidence.upstream:
        return True
    return evidence.fork.state in ("missing", "malformed", "unreachable") and evidence.strangers > 0


def _why_unseen(evidence: Evidence) -> str:
    return evidence.upstream or evidence.fork.words or "the fork did not answer"


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _date(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return "a time that no calendar has"


# --- the fork ----------------------------------------------------------------------------------------------


@_rule
def fork_reachable(evidence: Evidence) -> _Said:
    """The address is well formed and answers with at least one ref."""
    fork = evidence.fork
    if fork.seen_at is not None:
        return _Said("pass", f"Your repository answered when it was looked at on {_date(fork.seen_at)}.")
    if fork.state == "answered":
        return _Said("pass", "The address leads to a repository with commits.")
    if fork.state == "empty":
        return _Said(
            "fail",
            "The address answers, but there is nothing in it: an empty repository is no fork.",
            _FORK_HINT,
        )
    if fork.state == "unreachable":
        return _Said("unknown", f"The address could not be looked at: {fork.words}.")
    hint = "Open your fork in the browser, copy its address, and write it into the notebook."
    return _Said("fail", f"The address does not lead to a repository: {fork.words}.", hint)


_FORK_HINT = "Press Fork on the page of the original repository, and give the address of what it makes."


@_rule
def is_fork(evidence: Evidence) -> _Said:
    """The fork shares a root commit with upstream."""
    fork = evidence.fork
    if fork.state == "empty":
        return _Said(
            "fail", "The repository is empty, so it shares no history with the original.", _FORK_HINT
        )
    if fork.state != "answered":
        return _Said("unknown", f"This could not be looked at: {_why_unseen(evidence)}.")
    words = {
        "fork": "Your repository shares its history with the original.",
        "upstream": "This is the address of the original itself, not of a fork of yours.",
        "template": "Your repository is a template copy: it has the original's files, but begins anew with a "
        "commit of its own. No pull request can be opened from it.",
        "re-upload": "Your repository is a re-upload: it has files of the original, but not its history. No "
        "pull request can be opened from it.",
        "unrelated": "Your repository has nothing in common with the original.",
    }
    if not fork.kinship:
        return _Said("unknown", f"This could not be looked at: {_why_unseen(evidence)}.")
    if fork.kinship == "fork":
        return _Said("pass", words["fork"])
    return _Said("fail", words[fork.kinship], _FORK_HINT)


# --- commits -----------------------------------------------------------------------------------------------


@_rule
def has_own_commits(evidence: Evidence) -> _Said:
    """There are commits that change something, beside synchronizing merges."""
    work = evidence.work
    if work is not None and work.own:
        return _Said("pass", f"{_plural(len(work.own), 'commit')} of yours change something.")
    if work is None and _is_unseen(evidence):
        return _Said("unknown", f"Your commits could not be looked at: {_why_unseen(evidence)}.")
    hint = "Correct the page on a branch of your own, then git add, git commit and git push."
    if work is not None and work.passed_over:
        what = _plural(work.passed_over, "commit")
        return _Said("fail", f"{what} were found, but they change nothing by themselves.", hint)
    return _Said("fail", "No commit of yours was found beside those of the original.", hint)


@_rule
def pushed(evidence: Evidence) -> _Said:
    """The own commits are on the server."""
    work = evidence.work
    if work is not None and work.own and work.pushed:
        return _Said("pass", "Your commits are on the server.")
    if work is None and _is_unseen(evidence):
        return _Said("unknown", f"The server could not be looked at: {_why_unseen(evidence)}.")
    hint = "git push origin BRANCH sends the commits of a branch to your fork."
    if work is not None and work.own:
        return _Said("fail", "Your commits came in a bundle; they are on no server yet.", hint)
    return _Said("fail", "Nothing of yours is on the server.", hint)


@_rule_of_work
def on_branch(evidence: Evidence, work: Work) -> _Said:  # noqa: ARG001
    """The head is not the default branch."""
    if work.on_default is None or work.in_fork is None:
        return _Said("unknown", "It cannot be seen any more which branch your commits were on.")
    if work.on_default:
        hint = "git switch -c fix-typo makes a branch where you are; push that, and leave main alone."
        return _Said("fail", "Your commits are on the default branch of your fork.", hint)
    if not work.in_fork:
        return _Said("unknown", "Your commits are on no branch of your fork any more.")
    return _Said("pass", "Your commits are on a branch of their own.")


# --- the pull request --------------------------------------------------------------------------------------


@_rule
def pr_opened(evidence: Evidence) -> _Said:
    """There is a pull request of the student's."""
    work = evidence.work
    if work is not None and work.pull is not None:
        return _Said("pass", f"Pull request {work.pull} is yours.")
    if _is_pull_unseen(evidence):
        return _Said("unknown", f"Your pull request could not be looked for: {_why_unseen(evidence)}.")
    hint = (
        "On the page of your fork choose Contribute, Open pull request, from your branch into the original."
    )
    if evidence.strangers:
        hint += (
            " If you have opened one, tell your instructor your login and the e-mail address of your commits."
        )
    return _Said("fail", "There is no pull request of yours.", hint)


@_rule_of_pull
def pr_from_own_fork(evidence: Evidence, work: Work) -> _Said:
    """The pull request's head is in the student's fork."""
    if evidence.fork.kinship == "upstream" or work.in_upstream:
        return _Said(
            "fail", "The pull request does not come from a fork, but from the original itself.", _FORK_HINT
        )
    if work.in_fork is None:
        return _Said("unknown", f"Your fork could not be looked at: {_why_unseen(evidence)}.")
    if work.in_fork:
        return _Said("pass", "The pull request comes from your fork.")
    if work.merged:
        return _Said("unknown", "The branch of the merged pull request is not in your fork any more.")
    hint = "Write the address of the fork into the notebook from which you opened the pull request."
    return _Said("fail", "The commits of the pull request are not in the fork that you named.", hint)


@_rule_of_pull
def pr_has_changes(evidence: Evidence, work: Work) -> _Said:  # noqa: ARG001
    """The pull request changes something."""
    if work.own and work.changes:
        return _Said("pass", f"The pull request changes {_plural(len(work.changes), 'file')}.")
    hint = (
        "Commit the correction on the branch of the pull request and push it: the pull request takes it up."
    )
    return _Said("fail", "The pull request changes nothing.", hint)


# --- the change --------------------------------------------------------------------------------------------


@_rule_of_work
def right_file(evidence: Evidence, work: Work) -> _Said:
    """The change touches the asked file, or a former path of it."""
    paths = evidence.task.paths
    touched = [change.path for change in work.changes if change.path in paths]
    if touched and touched[0] != evidence.task.path:
        return _Said("pass", f"You changed the page at {touched[0]}, where it lay before it was moved.")
    if touched:
        return _Said("pass", f"You changed {touched[0]}.")
    others = ", ".join(change.path for change in work.changes[:5]) or "nothing"
    return _Said("fail", f"You changed {others}; the typo is in {evidence.task.path}.")


@_rule_of_work
def fix_present(evidence: Evidence, work: Work) -> _Said:
    """The page is a regular file with the corrected sentence and without the wrong word."""
    failures = [fault_of_page(page, evidence.task) for page in work.pages]
    if "" in failures:
        return _Said("pass", "The sentence is right.")
    if not failures:
        return _Said("fail", f"There is no file {evidence.task.path} in your work any more.", "Put it back.")
    return _Said(
        "fail", failures[0], "Read the sentence aloud, word by word, and compare it with your change."
    )


def fault_of_page(page: Page, task: Task) -> str:  # noqa: PLR0911 - one a fault
    """Return what is wrong with a page, or nothing."""
    if page.mode == "000000":
        return f"You deleted {page.path}."
    if page.mode not in _REGULAR:
        return f"{page.path} is not a regular file any more."
    if page.after is None:
        return f"{page.path} is far larger than a page."
    # Whether letters elsewhere were ruined is for the rule of nothing else being changed.
    text = _plain(page.after.decode("utf-8-sig", "replace"))
    left = [word for word in task.wrong if re.search(rf"(?<!\w){re.escape(_plain(word))}(?!\w)", text)]
    right = any(_plain(sentence) in text for sentence in task.correct)
    if right and not left:
        return ""
    if right:
        return f"The corrected sentence is there, but the wrong word {left[0]!r} is still in {page.path}."
    if left:
        return f"The wrong word {left[0]!r} is still in {page.path}."
    return f"The wrong word is gone from {page.path}, but the sentence is not as it should be."


def _plain(text: str) -> str:
    """Return a text as it is compared: line ends and runs of blanks do not matter."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@_rule_of_work
def minimal(evidence: Evidence, work: Work) -> _Said:  # noqa: PLR0911 - one a fault
    """Nothing else changed."""
    if not work.changes:
        return _Said("na", "Your commits together change nothing.")
    paths = evidence.task.paths
    others = [change.path for change in work.changes if change.path not in paths]
    hint = "git diff main...BRANCH shows all that the pull request changes; take back what does not belong."
    if others:
        shown = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
        return _Said("fail", f"You also changed {_plural(len(others), 'other file')}: {shown}.", hint)
    if len(work.changes) > 1:
        return _Said("fail", "You changed the page at more than one place where it lies or lay.", hint)
    change = work.changes[0]
    if change.status != "M" or change.old_mode != change.new_mode:
        return _Said("fail", f"{change.path} was not only edited: it was {_describe(change.status)}.", hint)
    page = next((page for page in work.pages if page.path == change.path), None)
    if page is None or page.before is None or page.after is None:
        return _Said("fail", f"{change.path} is not a page of text any more.", hint)
    if page.before.replace(b"\r\n", b"\n") == page.after.replace(b"\r\n", b"\n"):
        return _Said("fail", "Only the ends of the lines were changed.", hint)
    if is_minimal_edit(page.before, page.after, evidence.task):
        return _Said("pass", "Nothing but the wrong word was changed.")
    if page.before.count(b"\r\n") != page.after.count(b"\r\n"):
        words = "Every end of a line was rewritten: your editor saves other line ends than the page has."
        return _Said("fail", words, hint)
    return _Said("fail", "More of the page was changed than the wrong word.", hint)


def _describe(status: str) -> str:
    return {"A": "added", "D": "deleted", "T": "turned into something else"}.get(status, "given another mode")


def is_minimal_edit(before: bytes, after: bytes, task: Task) -> bool:
    """Tell whether two versions of a page differ in nothing but the wrong word, byte by byte.

    Parameters
    ----------
    before, after : bytes
    task : Task

    Notes
    -----
    What lies between the common beginning and the common end is the edit. It has to lie within a corrected
    sentence whose counterpart held the wrong word, or within the wrong word itself (a new typo is no other
    change). Where the page has as many lines as before, each changed line is looked at by itself, so that a
    word that is wrong in several places can be corrected in all of them.
    """
    if before == after:
        return False
    if _is_edit_of_word(before, after, task):
        return True
    old, new = before.split(b"\n"), after.split(b"\n")
    if len(old) != len(new):
        return False
    return all(a == b or _is_edit_of_word(a, b, task) for a, b in zip(old, new, strict=True))


def _is_edit_of_word(before: bytes, after: bytes, task: Task) -> bool:
    start = _common(before, after)
    end = min(_common(before[::-1], after[::-1]), len(before) - start, len(after) - start)
    first, last_old, last_new = start, len(before) - end, len(after) - end
    for sentence in task.correct:
        for begin, finish in _occurrences(_words_pattern(sentence), after):
            counterpart = before[begin : len(before) - (len(after) - finish)]
            if begin <= first and last_new <= finish and _holds_wrong(counterpart, task):
                return True
    for word in task.wrong:
        for begin, finish in _occurrences(_words_pattern(word), before):
            if begin <= first and last_old <= finish:
                return True
    return False


def _words_pattern(text: str) -> re.Pattern[bytes]:
    return re.compile(rb"\s+".join(re.escape(word.encode()) for word in text.split()))


def _occurrences(pattern: re.Pattern[bytes], data: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in pattern.finditer(data)] if pattern.pattern else []


def _holds_wrong(data: bytes, task: Task) -> bool:
    return any(_words_pattern(word).search(data) for word in task.wrong)


def _common(one: bytes, other: bytes) -> int:
    """Return the length of the common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# --- merging -----------------------------------------------------------------------------------------------


@_rule_of_work
def clean_merge(evidence: Evidence, work: Work) -> _Said:  # noqa: ARG001
    """The work merges without conflicts into upstream as it was when the work was first seen."""
    if work.merged:
        return _Said("pass", "Your work was merged.")
    if work.clean is None:
        return _Said("unknown", "It could not be tried whether your work merges without conflicts.")
    if not work.clean:
        hint = (
            "git fetch upstream; git merge upstream/main on your branch; mend the conflict, commit and push."
        )
        return _Said("fail", "Your work does not merge without conflicts.", hint)
    if work.clean_now is False:
        words = "Your work merged without conflicts when it was first seen."
        return _Said("pass", words, "The original has changed since; by now there would be a conflict.")
    return _Said("pass", "Your work merges without conflicts.")


@_rule_of_pull
def pr_merged(evidence: Evidence, work: Work) -> _Said:  # noqa: ARG001
    """The pull request was merged: for information only."""
    if work.merged:
        how = {"merge": "merge commit", "squash": "squashed commit", "rebase": "rebase"}.get(
            work.merged, work.merged
        )
        return _Said("pass", f"Your pull request was merged ({how}).")
    return _Said(
        "fail", "Your pull request is not merged. It does not have to be: that is for the maintainers."
    )


# --- who, when, how ----------------------------------------------------------------------------------------


@_rule_of_work
def author_matches(evidence: Evidence, work: Work) -> _Said:
    """A commit names the student."""
    if work.mine:
        return _Said("pass", "Your commits bear your name.")
    hint = "git config user.email must be the address that your instructor has of you; then commit anew."
    if work.classmates:
        return _Said("fail", "The commits are a classmate's.", hint)
    names = ", ".join(dict.fromkeys(f"{c.author.name} <{c.author.email}>" for c in work.own))[:200]
    student = evidence.student
    known = student.name or student.id
    words = f"The commits are by {names}; that is no address of {known} in the course's list."
    return _Said("fail", words, hint)


@_rule_of_work
def dates_plausible(evidence: Evidence, work: Work) -> _Said:
    """The commits' dates can be true; they prove nothing, because anybody can set them."""
    opens = evidence.task.opens
    for commit in work.own:
        for seconds in (commit.authored, commit.committed):
            if opens is not None and seconds < opens - _DAY:
                words = f"A commit says it is of {_date(seconds)}, before the task was opened."
                return _Said("fail", words, "Is the clock of your computer right?")
            if seconds > work.seen_at + _DAY:
                words = f"A commit says it is of {_date(seconds)}, after it was seen."
                return _Said("fail", words, "Is the clock of your computer right?")
            if seconds < work.base_date - _DAY:
                words = f"A commit says it is of {_date(seconds)}, before what it builds on."
                return _Said("fail", words, "Is the clock of your computer right?")
    return _Said("pass", "The dates of your commits can be true.")


@_rule_of_work
def on_time(evidence: Evidence, work: Work) -> _Said:
    """The work was seen, or opened as a pull request, before it was due."""
    due = evidence.task.due
    if due is None:
        return _Said("na", "This task has no due date.")
    seen = min(work.seen_at, work.opened_at) if work.opened_at is not None else work.seen_at
    if seen <= due:
        return _Said("pass", f"Your work was there on {_date(seen)}, in time.")
    return _Said("fail", f"Your work was first seen on {_date(seen)}; it was due on {_date(due)}.")


@_rule_of_work
def no_big_files(evidence: Evidence, work: Work) -> _Said:
    """No file over the limit is anywhere in the own commits."""
    if not work.large:
        return _Said("pass", "Your commits hold no large file.")
    hint = "A file that a later commit deletes is still in the history: make a fresh branch without it."
    shown = ", ".join(work.large[:3])
    return _Said("fail", f"Your commits hold files over {evidence.task.max_bytes:,} bytes: {shown}.", hint)


@_rule_of_work
def message_ok(evidence: Evidence, work: Work) -> _Said:  # noqa: ARG001
    """Every message says something."""
    hint = "Say what was changed and why, as in: Correct the spelling of 'receive' on the start page."
    for commit in work.own:
        words = message_words(commit)
        if fault := tell_message_fault(words):
            return _Said("fail", fault, hint)
    if any(_WEB_MESSAGE.fullmatch(message_words(commit)) for commit in work.own):
        return _Said("pass", "Your messages are long enough; one is what the web editor suggests.", hint)
    return _Said("pass", "Your messages say something.")


def tell_message_fault(words: str) -> str:
    """Say why a commit's message tells nothing; return nothing where it does."""
    if len(words) < _SHORTEST_MESSAGE:
        return f"The message {words!r} is too short to say what was changed."
    if words.rstrip(".!").casefold() in _PHRASES:
        return f"The message {words[:60]!r} fits any commit: it does not say what was changed."
    return ""


def message_words(commit: Commit) -> str:
    """Return what a message says, without the trailers that tools add."""
    return " ".join(_TRAILER.sub("", commit.message).split())
