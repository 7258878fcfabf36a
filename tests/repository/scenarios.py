"""States that a student's git work can be in, each with the verdict that every rule has to give."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fairmark.repository.address import read_address
from fairmark.repository.checking import Bench, Checked, check_student, look_at_upstream
from fairmark.repository.forge import Forge, Repository, Signature
from fairmark.repository.ledger import Ledger
from fairmark.repository.mirror import Mirror
from fairmark.repository.records import RULE_IDS, Student, Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairmark.repository.forge import Forge, Repository

OPENS = 1_760_000_000
DUE = OPENS + 14 * 86400
WORKED = OPENS + 5 * 86400
LOOKED = OPENS + 7 * 86400
LATE = DUE + 3 * 86400

TEACHER = "Tea Cher <teacher@uni.example>"
ANNA = "Anna Berg <anna@uni.example>"
ANNA_AT_HOME = "anna <A.Berg@Home.example>"
ANNA_ON_THE_WEB = "anna-b <1234+anna-b@users.noreply.github.com>"
BEN = "Ben Carl <ben@uni.example>"
NOBODY = "root <root@localhost.localdomain>"
ROSTER = (
    Student("anna", "Anna Berg", ("anna@uni.example", "a.berg@home.example"), "anna-b"),
    Student("ben", "Ben Carl", ("ben@uni.example",), "ben-c"),
    Student("dora", "Dora Eck", ("dora@uni.example",), "dora-e"),
)
PATH, FORMER = "docs/microscopy.md", "microscopy.md"
WRONG, CORRECT = "recieve", "Detectors receive photons and count them."
PAGE = "# Microscopy\n\nLight is bright.\nDetectors recieve photons and count them.\nNoise remains.\n\nThe end.\n"
FIXED = PAGE.replace(WRONG, "receive")
TASK = Task(PATH, (CORRECT,), (WRONG,), (FORMER,), max_bytes=100_000, opens=OPENS, due=DUE)
MESSAGE = "Correct the spelling of receive"

PERFECT = dict.fromkeys(RULE_IDS, "pass") | {"pr_merged": "fail"}
OF_PULL = ("pr_from_own_fork", "pr_has_changes", "pr_merged")
OF_WORK = [
    "on_branch",
    "right_file",
    "fix_present",
    "minimal",
    "clean_merge",
    "author_matches",
    "dates_plausible",
    "on_time",
    "no_big_files",
    "message_ok",
]
NOTHING = PERFECT | dict.fromkeys(OF_WORK + list(OF_PULL), "na")
NOTHING |= {"has_own_commits": "fail", "pushed": "fail", "pr_opened": "fail"}
NO_PULL = PERFECT | dict.fromkeys(OF_PULL, "na") | {"pr_opened": "fail"}
UNSEEN = dict.fromkeys(RULE_IDS, "unknown") | {"fork_reachable": "fail", "pr_opened": "fail"}
UNSEEN |= dict.fromkeys(OF_PULL, "na")


@dataclass
class World:
    """One upstream with its forks."""

    forge: Forge
    name: str
    folder: Path
    default: str = "main"
    task: Task = TASK
    now: float = LOOKED
    text: str | None = None
    ledger: Path | None = None
    upstream: Repository = field(init=False)
    anna: Repository = field(init=False)
    other: Repository | None = None
    roster: tuple[Student, ...] = ROSTER

    def __post_init__(self) -> None:
        self.upstream = self.forge.create(f"{self.name}/page", default=self.default)
        page = {PATH: PAGE, "README.md": "# Notes\n", "data/table.csv": "a,b\n1,2\n"}
        self.teach({FORMER: PAGE, "README.md": "# Notes\n"}, "Begin the notes", OPENS - 9 * 86400)
        self.teach({**page, FORMER: None}, "Move the page into docs", OPENS - 8 * 86400)
        self.anna = self.forge.fork(self.upstream, f"{self.name}-anna")

    def teach(self, files: dict[str, Any], message: str = "Add to the notes", at: float = OPENS) -> str:
        return self.upstream.commit(self.default, files, message, Signature(TEACHER, at))

    def work(  # noqa: PLR0913
        self,
        files: dict[str, Any] | None = None,
        *,
        branch: str = "fix-typo",
        message: str = MESSAGE,
        author: str = ANNA,
        at: float = WORKED,
        repository: Repository | None = None,
        parents: list[str] | None = None,
        **more: Any,
    ) -> str:
        files = {PATH: FIXED} if files is None else files
        by = Signature(author, at, **more)
        return (repository or self.anna).commit(branch, files, message, by, parents=parents)

    def propose(self, branch: str = "fix-typo", repository: Repository | None = None, **more: Any) -> int:
        return self.forge.open_pull(
            self.upstream, repository or self.anna, branch, title=MESSAGE, at=WORKED, **more
        )

    def sync(self, branch: str, at: float = WORKED + 50, *, author: str = ANNA, **files: Any) -> str:
        """Merge upstream's main into a branch as git does; `files` are what the merge adds by itself."""
        ours, theirs = self.anna.head(branch), self.upstream.head()
        tree = self.forge.git("merge-tree", "--write-tree", ours, theirs).output.decode().split()[0]
        merge = self.forge.write_commit(
            tree, [ours, theirs], f"Merge branch 'main' into {branch}", Signature(author, at)
        )
        if files:
            tree = self.forge.write_tree(merge, files)
            merge = self.forge.write_commit(
                tree, [ours, theirs], f"Merge branch 'main' into {branch}", Signature(author, at)
            )
        self.anna.point(branch, merge)
        return merge

    def classmate(self, owner: str = "ben") -> Repository:
        return self.forge.fork(self.upstream, f"{self.name}-{owner}")

    def addresses(self, url: str = "") -> tuple[str, str]:
        upstream, fork, other = (
            f"{url}/{each.name}.git" if url else str(each.folder)
            for each in (self.upstream, self.anna, self.other or self.anna)
        )
        if self.text is not None:
            fork = self.text.format(upstream=upstream, fork=fork, other=other)
        return upstream, fork

    def students(self, url: str = "") -> tuple[Student, ...]:
        """Return the roster, with the fork of Ben's where Anna names it."""
        if self.other is None:
            return self.roster
        fork = self.addresses(url)[1]
        return tuple(replace(each, fork=fork) if each.id == "ben" else each for each in self.roster)

    def look(
        self, at: float | None = None, url: str = "", mirror: Mirror | None = None, ledger: Path | None = None
    ) -> Checked:
        """Check Anna's work; before the last look, remember it."""
        upstream, fork = self.addresses(url)
        if at is not None:
            self.ledger = self.folder / f"{self.name}.jsonl"
        place = ledger or self.ledger
        with mirror or Mirror(self.folder / f"{self.name}{'-http' if url else ''}.git") as used:
            bench = Bench(
                used,
                self.task,
                self.students(url),
                look_at_upstream(used, read_address(upstream, local=True)),
                now=self.now if at is None else at,
                ledger=Ledger(place) if place else None,
                local=True,
            )
            return check_student(bench, self.roster[0], fork)


@dataclass(frozen=True)
class Scenario:
    name: str
    build: Callable[[World], None]
    expected: dict[str, str]
    default: str = "main"


SCENARIOS: dict[str, Scenario] = {}


def scenario(base: dict[str, str] = PERFECT, default: str = "main", **different: str) -> Callable[..., Any]:
    """Register a state: `base` with what is `different` is expected."""

    def register(build: Callable[[World], None]) -> Callable[[World], None]:
        assert set(different) <= set(RULE_IDS)
        SCENARIOS[build.__name__] = Scenario(build.__name__, build, base | different, default)
        return build

    return register


# --- as it should be, in several ways --------------------------------------------------------------------------


@scenario()
def perfect(world):
    """Fork, branch, correct, commit, push, open."""
    world.work()
    world.propose()


@scenario(default="master")
def default_branch_is_master(world):
    world.work()
    world.propose()


@scenario()
def gitlab_layout(world):
    """A merge request is found under GitLab's refs."""
    world.work()
    world.propose(layout="merge-requests")


@scenario()
def second_address(world):
    """Another address of the roster, in other letters."""
    world.work(author=ANNA_AT_HOME)
    world.propose()


@scenario()
def web_editor(world):
    """The forge's own editor: a no-reply address, the forge as committer, a suggested message."""
    world.work(
        author=ANNA_ON_THE_WEB, committer="GitHub <noreply@github.com>", message="Update microscopy.md"
    )
    world.propose()


@scenario()
def co_author(world):
    """A classmate typed, and named Anna as co-author."""
    world.work(author=BEN, message=f"{MESSAGE}\n\nCo-authored-by: Anna Berg <anna@uni.example>")
    world.propose()


@scenario()
def two_commits(world):
    world.work({PATH: PAGE.replace(WRONG, "recive")})
    world.work(message="Correct my own new typo", at=WORKED + 60)
    world.propose()


@scenario()
def synced_once(world):
    """A plain merge of upstream's main is no own commit and brings no other change."""
    world.work()
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=WORKED + 10)
    world.sync("fix-typo")
    world.propose()


@scenario()
def synced_eleven_times(world):
    world.work()
    for number in range(11):
        world.teach({"README.md": f"# Notes\n\n{number}\n"}, at=WORKED + 10 + number)
        world.sync("fix-typo", WORKED + 100 + number)
    world.propose()


@scenario(on_branch="fail")
def worked_on_main_and_synced(world):
    world.work(branch="main")
    for number in range(3):
        world.teach({"README.md": f"# Notes\n\n{number}\n"}, at=WORKED + 10 + number)
        world.sync("main", WORKED + 100 + number)
    world.propose("main")


@scenario(on_branch="fail", default="master")
def worked_on_master(world):
    world.work(branch="master")
    world.propose("master")


@scenario()
def branch_also_on_own_main(world):
    """The branch was brought into the fork's main as well: it is a branch all the same."""
    commit = world.work()
    world.anna.point("main", commit)
    world.propose()


@scenario()
def former_path(world):
    """The fork is older than the move of the page: the page was corrected where it lay."""
    old = world.forge.git("rev-list", "--max-parents=0", world.upstream.head()).output.decode().strip()
    world.anna.point("main", old)
    world.work({FORMER: FIXED}, parents=[old])
    world.propose()


@scenario()
def former_path_then_synced(world):
    """git itself carries the correction over to the new path."""
    old = world.forge.git("rev-list", "--max-parents=0", world.upstream.head()).output.decode().strip()
    world.work({FORMER: FIXED}, parents=[old])
    world.sync("fix-typo")
    world.propose()


@scenario(minimal="fail")
def copy_at_the_former_path(world):
    """The page was uploaded to where it lay before; upstream has it elsewhere by now."""
    world.work({FORMER: FIXED})
    world.propose()


@scenario()
def two_pull_requests(world):
    """The better one counts, whichever came first."""
    world.work()
    world.propose()
    world.work({"README.md": "hello\n"}, branch="trial", message="Try what happens")
    world.propose("trial")


@scenario()
def two_pull_requests_the_other_way(world):
    world.work({"README.md": "hello\n"}, branch="trial", message="Try what happens")
    world.propose("trial")
    world.work()
    world.propose()


@scenario()
def closed_without_merging(world):
    world.work()
    world.forge.close_pull(world.upstream, world.propose())


@scenario()
def classmate_with_the_same_fix(world):
    """Two students made the same correction: each has a pull request of their own."""
    ben = world.classmate()
    world.work(repository=ben, author=BEN)
    world.propose(repository=ben)
    world.work(at=WORKED + 100)
    world.propose()


@scenario()
def tea_is_wrapped_in_text(world):
    """An address with blanks, a slash at its end, and in angle brackets."""
    world.work()
    world.propose()
    world.text = "  <{fork}/> "


# --- merged --------------------------------------------------------------------------------------------------


@scenario(pr_merged="pass")
def merged(world):
    """Merged work must not look as if it had been there before."""
    world.work()
    world.forge.merge_pull(world.upstream, world.propose(), "merge", at=WORKED + 100)


@scenario(pr_merged="pass")
def squashed(world):
    world.work()
    world.forge.merge_pull(world.upstream, world.propose(), "squash", at=WORKED + 100)


@scenario(pr_merged="pass")
def rebased(world):
    number = (world.work(), world.propose())[1]
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=WORKED + 10)
    world.forge.merge_pull(world.upstream, number, "rebase", at=WORKED + 100)


@scenario(pr_merged="pass")
def fast_forwarded(world):
    world.work()
    world.forge.merge_pull(world.upstream, world.propose(), "fast-forward")
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=WORKED + 10)


@scenario(pr_merged="pass", on_branch="unknown", pr_from_own_fork="unknown")
def squashed_and_branch_deleted(world):
    world.work()
    world.forge.merge_pull(world.upstream, world.propose(), "squash", at=WORKED + 100)
    world.anna.point("fix-typo", None)


@scenario(pr_merged="pass", on_branch="unknown")
def merged_branch_deleted_and_main_synced(world):
    """The fork's main holds the work by way of upstream: nobody worked on main."""
    world.work()
    world.forge.merge_pull(world.upstream, world.propose(), "merge", at=WORKED + 100)
    world.anna.point("fix-typo", None)
    world.anna.point("main", world.upstream.head())


@scenario()
def classmates_equal_fix_was_squashed(world):
    """Patches of classmates are equal; only Ben's was merged."""
    ben = world.classmate()
    world.work(repository=ben, author=BEN)
    number = world.propose(repository=ben)
    world.work(at=WORKED + 50)
    world.propose()
    world.forge.merge_pull(world.upstream, number, "squash", at=WORKED + 100)


@scenario()
def classmates_equal_fix_was_rebased(world):
    ben = world.classmate()
    world.work(repository=ben, author=BEN)
    number = world.propose(repository=ben)
    world.work(at=WORKED + 50)
    world.propose()
    world.forge.merge_pull(world.upstream, number, "rebase", at=WORKED + 100)


# --- not all of it was done ------------------------------------------------------------------------------------


@scenario(NOTHING)
def only_forked(world):
    """A fork without any work."""


@scenario(NO_PULL)
def pushed_without_pull_request(world):
    world.work()


@scenario(NO_PULL, on_branch="fail")
def pushed_to_main_without_pull_request(world):
    world.work(branch="main")


@scenario(NOTHING, pr_opened="pass", pr_from_own_fork="pass", pr_has_changes="fail", pr_merged="fail")
def only_empty_commits(world):
    world.work({}, message="Correct the spelling of receive")
    world.propose()


@scenario(right_file="fail", fix_present="fail", minimal="na", pr_has_changes="fail")
def taken_back(world):
    """Corrected, and then reverted: commits that together change nothing."""
    world.work()
    world.work({PATH: PAGE}, message="Revert 'Correct the spelling of receive'", at=WORKED + 60)
    world.propose()


@scenario(right_file="fail", fix_present="fail", minimal="fail")
def wrong_file(world):
    world.work({"README.md": "# Notes, corrected\n"})
    world.propose()


@scenario(fix_present="fail", minimal="fail")
def deleted_file(world):
    """The wrong word is absent from a file that is gone."""
    world.work({PATH: None})
    world.propose()


@scenario(fix_present="fail", minimal="fail")
def deleted_sentence(world):
    """The wrong word is gone, and the sentence with it."""
    world.work({PATH: PAGE.replace("Detectors recieve photons and count them.\n", "")})
    world.propose()


@scenario(fix_present="fail")
def new_typo(world):
    world.work({PATH: PAGE.replace(WRONG, "recive")})
    world.propose()


@scenario(fix_present="fail", minimal="fail")
def correct_sentence_added_and_wrong_kept(world):
    world.work({PATH: PAGE + CORRECT + "\n"})
    world.propose()


@scenario(minimal="fail")
def eleven_files(world):
    world.work({PATH: FIXED} | {f".idea/{number}.xml": "<x/>" for number in range(10)})
    world.propose()


@scenario(minimal="fail")
def other_lines_changed(world):
    world.work({PATH: FIXED.replace("The end.", "This is the end.")})
    world.propose()


@scenario(minimal="fail")
def line_ends_rewritten(world):
    """Text mode hides that every line was rewritten."""
    world.work({PATH: FIXED.replace("\n", "\r\n")})
    world.propose()


@scenario(minimal="fail")
def trailing_blanks_removed(world):
    world.teach({PATH: PAGE.replace("bright.\n", "bright.  \n")})
    world.anna.point("main", world.upstream.head())
    world.work()
    world.propose()


@scenario(minimal="fail")
def executable(world):
    """The sentence is right, but the file's mode changed."""
    world.work({PATH: ("100755", FIXED.encode())})
    world.propose()


@scenario(fix_present="fail", minimal="fail")
def symbolic_link(world):
    """A link whose target reads like the corrected page is no page."""
    world.work({PATH: ("120000", FIXED.encode())})
    world.propose()


@scenario(fix_present="fail", minimal="fail")
def submodule(world):
    world.work({PATH: ("160000", world.upstream.head().encode())})
    world.propose()


@scenario(no_big_files="fail")
def big_file_deleted_again(world):
    """A large file stays in the history when a later commit deletes it."""
    world.work({PATH: FIXED, "stack.tif": b"\x01" * 200_000})
    world.work({"stack.tif": None}, message="Remove the image stack again", at=WORKED + 60)
    world.propose()


@scenario(no_big_files="fail", minimal="fail")
def big_file(world):
    world.work({PATH: FIXED, "stack.tif": b"\x01" * 100_001})
    world.propose()


@scenario(minimal="fail")
def file_of_exactly_the_limit(world):
    world.work({PATH: FIXED, "stack.tif": b"\x01" * 100_000})
    world.propose()


@scenario(message_ok="fail")
def short_message(world):
    world.work(message="typo")
    world.propose()


@scenario(message_ok="fail")
def stock_message(world):
    world.work(message="Initial commit")
    world.propose()


@scenario(message_ok="fail")
def short_message_with_trailer(world):
    world.work(message="fix\n\nCo-authored-by: Ben Carl <ben@uni.example>")
    world.propose()


@scenario(minimal="fail")
def work_hidden_in_a_merge(world):
    """A merge that holds more than git would make of its parents is own work."""
    world.work()
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=WORKED + 10)
    world.sync("fix-typo", **{"extra.txt": "hidden\n"})
    world.propose()


@scenario()
def all_work_in_a_merge(world):
    """The correction itself is in a merge commit."""
    world.work({}, message="Begin a branch")
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=WORKED + 10)
    world.sync("fix-typo", **{PATH: FIXED})
    world.propose()


@scenario(clean_merge="fail")
def conflict_from_the_beginning(world):
    world.work()
    world.teach({PATH: PAGE.replace("recieve photons", "recieve many photons")}, at=WORKED - 10)
    world.propose()


# --- whose it is ------------------------------------------------------------------------------------------------


@scenario(author_matches="fail")
def unknown_author(world):
    """Found by the fork, although nobody knows the address."""
    world.work(author=NOBODY)
    world.propose()


@scenario(NOTHING)
def classmates_pull_request_alone(world):
    """Ben's pull request with the right correction is not Anna's."""
    ben = world.classmate()
    world.work(repository=ben, author=BEN)
    world.propose(repository=ben)


@scenario(NOTHING)
def classmates_commits_in_own_fork(world):
    """Ben's commit pushed to Anna's fork and proposed from there is Ben's."""
    world.work(author=BEN)
    world.propose()


@scenario(NOTHING)
def login_that_contains_hers(world):
    """The no-reply address of another person whose login ends like Anna's."""
    ben = world.classmate()
    world.work(repository=ben, author="x <99+xanna-b@users.noreply.github.com>")
    world.propose(repository=ben)


@scenario(pr_from_own_fork="fail", on_branch="unknown")
def proposed_from_another_fork(world):
    """The notebook names a fork without the commits of the pull request."""
    other = world.classmate("anna-again")
    world.work(repository=other)
    world.propose(repository=other)


@scenario(is_fork="fail", pr_from_own_fork="fail", on_branch="unknown")
def address_of_upstream(world):
    world.work()
    world.propose()
    world.text = "{upstream}"


@scenario(pr_from_own_fork="fail", on_branch="unknown")
def branch_in_upstream_itself(world):
    """Pushed into the original, not into a fork."""
    world.work(repository=world.upstream)
    world.propose(repository=world.upstream)


# --- the fork --------------------------------------------------------------------------------------------------


@scenario(UNSEEN)
def no_such_fork(world):
    world.forge.delete(world.anna)


@scenario(UNSEEN)
def no_address(world):
    world.text = ""


@scenario(UNSEEN)
def address_that_is_an_option(world):
    world.text = "--upload-pack=touch /tmp/owned"


@scenario(fork_reachable="fail", is_fork="unknown", pr_from_own_fork="unknown", on_branch="unknown")
def fork_deleted_after_the_pull_request(world):
    """The commits are upstream; that they came from the fork cannot be shown any more."""
    world.work()
    world.propose()
    world.forge.delete(world.anna)


@scenario(UNSEEN, **dict.fromkeys((*OF_PULL, "pr_opened"), "unknown"))
def fork_deleted_and_author_unknown(world):
    """There is a pull request of somebody; nobody can say whose it is."""
    world.work(author=NOBODY)
    world.propose()
    world.forge.delete(world.anna)


@scenario(NOTHING, fork_reachable="fail", is_fork="fail")
def empty_repository(world):
    world.forge.delete(world.anna)
    world.anna = world.forge.create(f"{world.name}-anna/page")


@scenario(NOTHING, is_fork="fail")
def template_copy(world):
    """The same files, but a history of its own."""
    world.forge.delete(world.anna)
    world.anna = world.forge.create(f"{world.name}-anna/page")
    tree = world.forge.read_tree(world.upstream.head())
    files = {path: world.forge.git("cat-file", "blob", blob).output for path, (_, blob) in tree.items()}
    world.work(files, branch="main", message="Initial commit")


@scenario(NO_PULL, is_fork="fail", clean_merge="fail")
def template_copy_with_work(world):
    SCENARIOS["template_copy"].build(world)
    world.work(at=WORKED + 60)


@scenario(NO_PULL, is_fork="fail", clean_merge="fail", minimal="fail", on_branch="fail")
def re_upload(world):
    """The page, uploaded into a new repository after it was corrected."""
    world.forge.delete(world.anna)
    world.anna = world.forge.create(f"{world.name}-anna/page")
    world.work({PATH: FIXED}, branch="main", message="Add files via upload")


@scenario(
    NO_PULL,
    is_fork="fail",
    clean_merge="fail",
    minimal="fail",
    right_file="fail",
    fix_present="fail",
    on_branch="fail",
)
def unrelated_repository(world):
    world.forge.delete(world.anna)
    world.anna = world.forge.create(f"{world.name}-anna/page")
    world.work({"thesis.tex": "Hello"}, branch="main", message="Begin my thesis")


# --- when ------------------------------------------------------------------------------------------------------


@scenario(on_time="fail")
def late(world):
    world.work(at=LATE - 60)
    world.propose()
    world.now = LATE


@scenario(on_time="fail")
def backdated(world):
    """The commit says that it was made in time; it was first seen after that."""
    world.work(at=WORKED)
    world.propose()
    world.now = LATE


@scenario(dates_plausible="fail")
def before_the_task_was_opened(world):
    world.work(at=OPENS - 5 * 86400)
    world.propose()


@scenario(dates_plausible="fail")
def from_the_future(world):
    world.work(at=LOOKED + 40 * 86400)
    world.propose()


@scenario(dates_plausible="fail")
def from_1970(world):
    world.work(at=0)
    world.propose()


@scenario()
def amended_later(world):
    """Author and committer dates differ after an amend: that is usual."""
    world.work(at=WORKED, committed=WORKED + 5000)
    world.propose()


# --- what was seen counts ----------------------------------------------------------------------------------------


@scenario()
def seen_in_time_looked_at_later(world):
    world.work()
    world.propose()
    world.look(LOOKED)
    world.now = LATE


@scenario()
def fork_deleted_after_it_was_seen(world):
    world.work()
    world.propose()
    world.look(LOOKED)
    world.forge.delete(world.anna)
    world.now = LATE


@scenario()
def head_reset_to_upstream(world):
    """The branch was reset, and the pull request lost everything; it had been seen."""
    world.work()
    world.propose()
    world.look(LOOKED)
    world.anna.point("fix-typo", world.upstream.head())
    world.now = LATE


@scenario(NOTHING)
def head_reset_before_it_was_seen(world):
    """Nothing is left that could be seen."""
    world.work()
    world.propose()
    world.anna.point("fix-typo", world.upstream.head())


@scenario()
def forced_to_something_worse(world):
    world.work()
    world.propose()
    world.look(LOOKED)
    world.work({"README.md": "oops\n"}, message="oops", parents=[world.upstream.head()], at=LATE - 60)
    world.now = LATE


@scenario(on_time="fail")
def mended_late(world):
    """What was there in time was wrong; the right thing came late."""
    world.work({"README.md": "# Notes!\n"}, message="upd")
    world.propose()
    world.look(LOOKED)
    world.work(parents=[world.upstream.head()], at=LATE - 60)
    world.now = LATE


@scenario()
def conflict_that_came_later(world):
    """Upstream changed the sentence after the pull request was seen: a hint, no failure."""
    world.work()
    world.propose()
    world.look(LOOKED)
    world.teach({PATH: PAGE.replace("recieve photons", "recieve many photons")}, at=LOOKED + 100)
    world.now = LATE


@scenario()
def branch_deleted_after_it_was_seen(world):
    world.work()
    world.propose()
    world.look(LOOKED)
    world.anna.point("fix-typo", None)


@scenario(pr_merged="pass")
def squashed_and_deleted_after_it_was_seen(world):
    number = (world.work(), world.propose())[1]
    world.look(LOOKED)
    world.forge.merge_pull(world.upstream, number, "squash", at=LOOKED + 10)
    world.forge.delete(world.anna)
    world.now = LATE


@scenario()
def merge_request_ref_deleted_later(world):
    """GitLab deletes the ref of a closed merge request after two weeks."""
    world.work()
    number = world.propose(layout="merge-requests")
    world.look(LOOKED)
    world.forge.close_pull(world.upstream, number)
    world.upstream.point(f"refs/merge-requests/{number}/head", None)
    world.now = LATE


@scenario(NO_PULL)
def pushed_and_deleted_after_it_was_seen(world):
    world.work()
    world.look(LOOKED)
    world.forge.delete(world.anna)
    world.now = LATE


@scenario()
def reverted_after_it_was_seen(world):
    """The correction was seen in time; that it was taken back later takes nothing away."""
    world.work()
    world.propose()
    world.look(LOOKED)
    world.work({PATH: PAGE}, message="Revert 'Correct the spelling of receive'", at=LOOKED + 60)
    world.now = LATE


@scenario()
def rebased_late_after_it_was_seen(world):
    """The same correction on a newer original: what was seen in time was in time."""
    world.work()
    world.propose()
    world.look(LOOKED)
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=LOOKED + 10)
    world.work(parents=[world.upstream.head()], at=WORKED, committed=LATE - 60)
    world.now = LATE


# --- less usual ways -----------------------------------------------------------------------------------------


@scenario()
def rebased_onto_a_newer_original(world):
    world.work()
    world.propose()
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=WORKED + 10)
    world.work(parents=[world.upstream.head()], at=WORKED, committed=WORKED + 100)


@scenario()
def other_file_added_and_removed_again(world):
    """What counts is all that the pull request changes, not what was there in between."""
    world.work({PATH: FIXED, "notes.txt": "mine\n"})
    world.work({"notes.txt": None}, message="Take my notes out again", at=WORKED + 60)
    world.propose()


@scenario()
def page_deleted_and_put_back(world):
    world.work({PATH: None}, message="Try what happens to the page")
    world.work(at=WORKED + 60)
    world.propose()


@scenario()
def corrected_reverted_and_corrected(world):
    world.work()
    world.work({PATH: PAGE}, message="Revert 'Correct the spelling of receive'", at=WORKED + 60)
    world.work(message="Correct the spelling of receive again", at=WORKED + 120)
    world.propose()


@scenario()
def empty_commit_before_the_correction(world):
    world.work({}, message="Begin", at=WORKED - 60)
    world.work()
    world.propose()


@scenario(default="master")
def branch_named_main_where_the_default_is_master(world):
    world.work(branch="main")
    world.propose("main")


@scenario()
def line_ends_of_the_page_kept(world):
    """The page has Windows' line ends upstream, and keeps them."""
    world.teach({PATH: PAGE.replace("\n", "\r\n")})
    world.anna.point("main", world.upstream.head())
    world.work({PATH: FIXED.replace("\n", "\r\n")})
    world.propose()


@scenario(minimal="fail")
def line_ends_of_the_page_lost(world):
    """The page has Windows' line ends upstream, and the student's editor rewrote them."""
    world.teach({PATH: PAGE.replace("\n", "\r\n")})
    world.anna.point("main", world.upstream.head())
    world.work()
    world.propose()


@scenario(minimal="fail")
def one_line_end_at_the_end_of_the_page(world):
    world.work({PATH: FIXED.rstrip("\n")})
    world.propose()


@scenario(fix_present="fail", minimal="fail")
def blank_lines_alone(world):
    world.work({PATH: PAGE + "\n"})
    world.propose()


@scenario(fix_present="fail")
def corrected_at_one_place_of_two(world):
    page = PAGE.replace("The end.", "Cameras recieve them too.")
    world.teach({PATH: page})
    world.anna.point("main", world.upstream.head())
    world.work({PATH: page.replace(WRONG, "receive", 1)})
    world.propose()


@scenario()
def corrected_at_both_places(world):
    page = PAGE.replace("The end.", "Cameras recieve them too.")
    world.teach({PATH: page})
    world.anna.point("main", world.upstream.head())
    world.work({PATH: page.replace(WRONG, "receive")})
    world.propose()


@scenario(fix_present="fail", minimal="fail")
def page_renamed(world):
    """The sentence is right, in a file that nobody finds."""
    world.work({PATH: None, "docs/microscope.md": FIXED})
    world.propose()


@scenario(minimal="fail")
def page_saved_in_another_encoding(world):
    """The sentence is right; another line's letters were ruined."""
    world.teach({PATH: PAGE.replace("bright", "über-bright")})
    world.anna.point("main", world.upstream.head())
    world.work({PATH: FIXED.replace("bright", "über-bright").encode("latin-1")})
    world.propose()


@scenario()
def large_file_of_the_original(world):
    """A merge of the original's main brings a file of the teacher's."""
    world.work()
    world.teach({"data/stack.tif": b"\x01" * 200_000}, at=WORKED + 10)
    world.sync("fix-typo")
    world.propose()


@scenario(minimal="fail")
def merge_that_drops_what_the_original_changed(world):
    """``git merge -s ours``: the merge looks plain, and takes the teacher's work back."""
    world.work()
    world.teach({"README.md": "# Notes\n\nMore.\n"}, at=WORKED + 10)
    parents = [world.anna.head("fix-typo"), world.upstream.head()]
    world.work({}, message="Merge branch 'main' into fix-typo", parents=parents, at=WORKED + 60)
    world.propose()


@scenario()
def conflict_resolved_in_a_merge(world):
    """The original changed the same line; the student's merge keeps both changes."""
    world.work()
    world.teach({PATH: PAGE.replace("Light is bright.\n", "Light is very bright.\n")}, at=WORKED + 10)
    world.teach({PATH: PAGE.replace("Light is bright.\nDetectors", "Light is very bright.\n\nDetectors")})
    page = FIXED.replace("Light is bright.\nDetectors", "Light is very bright.\n\nDetectors")
    parents = [world.anna.head("fix-typo"), world.upstream.head()]
    world.work({PATH: page}, message="Merge branch 'main' into fix-typo", parents=parents, at=WORKED + 60)
    world.propose()


@scenario(message_ok="fail")
def one_message_of_two_says_nothing(world):
    world.work({PATH: PAGE.replace(WRONG, "recive")})
    world.work(message="oops", at=WORKED + 60)
    world.propose()


@scenario()
def seen_at_the_last_second(world):
    world.work()
    world.propose()
    world.now = DUE


@scenario(pr_merged="pass")
def squashed_before_the_original_went_on(world):
    """It was merged, so it merged without conflicts: what the original became afterwards is nobody's fault."""
    world.work()
    world.forge.merge_pull(world.upstream, world.propose(), "squash", at=WORKED + 100)
    world.teach({PATH: FIXED.replace("receive photons", "always receive photons")}, at=WORKED + 200)


@scenario(pr_merged="pass")
def squashed_in_other_words(world):
    """The message names no pull request; author and change are the student's."""
    world.work()
    world.propose()
    by = Signature(ANNA, WORKED + 100, TEACHER)
    world.upstream.commit("main", {PATH: FIXED}, "Correct a typo, thanks to Anna", by)


@scenario(pr_merged="pass")
def merged_and_reverted_by_the_teacher(world):
    world.work()
    world.forge.merge_pull(world.upstream, world.propose(), "merge", at=WORKED + 100)
    world.teach({PATH: PAGE}, 'Revert "Correct the spelling of receive"', at=WORKED + 200)


@scenario(NO_PULL)
def proposed_to_the_own_fork(world):
    """Merged into the fork's own main: the original has no pull request."""
    head = world.work()
    parents = [world.anna.head("main"), head]
    world.work(
        branch="main", message="Merge pull request #1 from anna-b/fix-typo", parents=parents, at=WORKED + 60
    )


# --- others' work in reach -----------------------------------------------------------------------------------


@scenario(NOTHING)
def other_branches_of_the_original(world):
    """A fork has all of the original's branches: what is on them is the teacher's."""
    head = world.upstream.commit("pages", {"index.html": "<p>"}, "Build the site", Signature(TEACHER, OPENS))
    world.anna.point("pages", head)


@scenario(NOTHING)
def teachers_own_pull_request(world):
    """From a branch of the original's to its main: every fork holds its head."""
    head = world.upstream.commit("draft", {PATH: FIXED}, "Draft a section", Signature(TEACHER, OPENS))
    world.propose("draft", world.upstream)
    world.anna.point("draft", head)


@scenario(NOTHING)
def strangers_merged_pull_request(world):
    """Somebody outside of the course was merged, and the fork was synchronized since."""
    other = world.forge.fork(world.upstream, f"{world.name}-other")
    world.work(repository=other, author=NOBODY)
    world.forge.merge_pull(world.upstream, world.propose(repository=other), "merge", at=WORKED + 100)
    world.anna.point("main", world.upstream.head())


@scenario(NOTHING)
def classmates_fork_named(world):
    """The roster says whose fork it is; that its author is not known makes it nobody else's."""
    ben = world.classmate()
    world.work(repository=ben, author=NOBODY)
    world.propose(repository=ben)
    name_classmates_fork(world, ben)


@scenario(pr_from_own_fork="fail", on_branch="unknown")
def own_work_and_a_classmates_fork_named(world):
    ben = world.classmate()
    world.work(repository=ben, author=BEN)
    world.propose(repository=ben)
    world.work(at=WORKED + 10)
    world.propose()
    name_classmates_fork(world, ben)


@scenario(pr_from_own_fork="fail", on_branch="unknown")
def co_author_in_the_classmates_fork(world):
    """Two worked on one pull request, from the other's fork."""
    ben = world.classmate()
    message = f"{MESSAGE}\n\nCo-authored-by: Anna Berg <anna@uni.example>"
    world.work(repository=ben, author=BEN, message=message)
    world.propose(repository=ben)


@scenario(NO_PULL)
def built_on_a_classmates_commit(world):
    """Ben began, Anna finished and pushed to her fork: the branch is hers as well."""
    world.work({PATH: PAGE.replace(WRONG, "recive")}, author=BEN)
    world.work(message="Finish Ben's correction", at=WORKED + 60)


def name_classmates_fork(world: World, fork: Repository) -> None:
    """Let Anna give the address of a fork that the roster knows as Ben's."""
    world.other = fork
    world.text = "{other}"
