"""A real repository in a real mirror becomes a snapshot, and is judged from it."""

import subprocess

import pytest
from test_quality import ALL, GOOD

from fairmark.quality import HABITS
from fairmark.quality.taking import take_snapshot
from fairmark.repository.address import read_address
from fairmark.repository.mirror import Mirror


def git(folder, *words, **more):
    done = subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        **more,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """A repository with three commits, one of which is a merge, and a large file that was deleted again."""
    place = tmp_path_factory.mktemp("repository")
    work = place / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    for path, text in GOOD.items():
        (work / path).parent.mkdir(exist_ok=True)
        (work / path).write_text(text)
    (work / "odd \u00e9\n.txt").write_text("a name that breaks lines")
    (work / "raw.tif").write_bytes(bytes(1_500_000))
    (work / "link").symlink_to("/etc/passwd")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "Count spots in images")
    git(work, "checkout", "-q", "-b", "side")
    git(work, "rm", "-q", "raw.tif")
    git(work, "commit", "-q", "-m", "Move the raw data to a repository for data")
    git(work, "checkout", "-q", "main")
    git(work, "merge", "-q", "--no-ff", "-m", "x", "side")
    with Mirror(place / "mirror.git") as mirror:
        address = read_address(str(work / ".git"), (), local=True)
        mirror.fetch_fork(address, mirror.list_refs(address))
        yield mirror, git(work, "rev-parse", "HEAD")


def test_a_mirror_gives_files_and_commits(mirrored):
    """Links are no files; contents are there, sizes of what commits brought as well."""
    snapshot = take_snapshot(*mirrored)
    contents = {blob.path: blob.content for blob in snapshot.blobs}
    assert {path: contents.get(path) for path in GOOD} == {path: text.encode() for path, text in GOOD.items()}
    assert "link" not in contents
    assert "raw.tif" not in contents
    assert [commit.merges for commit in snapshot.commits].count(True) == 1
    brought = {blob.path: blob.size for commit in snapshot.commits for blob in commit.added}
    assert brought["raw.tif"] == 1_500_000


def test_a_real_repository_is_judged(mirrored):
    """All is well but the large file, which is still in the history."""
    report = ALL.grade(take_snapshot(*mirrored))
    failed = [name for name, check in zip(HABITS, report.checks, strict=True) if check.status != "passed"]
    assert failed == ["large_files"]
    assert "raw.tif (1.5 MB). It is still in the history" in report.checks[4].message


def test_only_own_commits_are_asked(mirrored):
    """What others brought before is not the student's."""
    mirror, head = mirrored
    commits = mirror.read_history(head, (head,)).commits
    own = [commit for commit in commits.values() if commit.message.startswith("Move")]
    assert ALL.grade(take_snapshot(mirror, head, own)).score == 7
