"""Statuses and comments, sent to a real HTTP server on this machine that answers as a forge does."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from courses import make_course

from fairmark.authoring import read_assignment
from fairmark.cli import main
from fairmark.errors import UsageError
from fairmark.exporters import Marks, Person, stand
from fairmark.gradebook.assignments import ensure_assignment
from fairmark.gradebook.writing import Writer
from fairmark.pipelines.posting import Sender, Target, make_posts, read_targets
from fairmark.results import AssignmentStamp, GraderStamp, Item, SubmissionResult, SubmissionStamp

ITEMS = (
    Item(
        "a", "n", "code", "the mean @staff <img src=x onerror=alert(1)>", "failed", 0.0, 4.0, message="wrong"
    ),
    Item("b", "n", "code", "secret", "failed", 0.0, 1.0, visibility="hidden", message="inputs 3, 4"),
)


def standing(student="ann", items=ITEMS, status="graded"):
    stamp = GraderStamp("0", "3", "a", 1, "bubblewrap", "2026-05-04T10:00:00+00:00")
    result = SubmissionResult(AssignmentStamp("ps1", "0"), SubmissionStamp(student), stamp, status, items)
    return stand("ps1", result, Marks(Person(student), ()))


class Forge(ThreadingHTTPServer):
    """Keeps repositories, statuses and comments as GitHub's and GitLab's interfaces do."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.public, self.statuses, self.comments, self.tokens, self.asked = set(), [], [], set(), []
        self.failures = 0
        self.redirect = ""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, document, code=200):
        data = json.dumps(document).encode()
        self.send_response(code)
        if code == 307:
            self.send_header("Location", self.server.redirect)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self):  # noqa: PLR0911 - one a kind of question
        forge, path = self.server, self.path.partition("?")[0]
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else {}
        forge.tokens.add(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN"))
        forge.asked.append((self.command, self.path))
        if forge.redirect:
            return self.reply({}, 307)
        if forge.failures:
            forge.failures -= 1
            return self.reply({}, 503)
        if path == "/user":
            return self.reply({"login": "grader", "username": "grader"})
        if match := re.fullmatch(r"/(repos|projects)/([^/]+/[^/]+|[^/]+)", path):
            name = match[2].replace("%2F", "/")
            public = name in forge.public
            return self.reply({"private": not public, "visibility": "public" if public else "private"})
        if "/statuses/" in path:
            forge.statuses.append((path, body))
            return self.reply({}, 201)
        if match := re.search(r"/(?:comments|notes)/(\d+)$", path):
            (note,) = (note for note in forge.comments if note["id"] == int(match[1]))
            note["body"] = body["body"]
            return self.reply(note)
        if self.command == "GET":
            page = int(re.search(r"[?&]page=(\d+)", self.path)[1])
            return self.reply(forge.comments[(page - 1) * 100 : page * 100])
        who = {"login": "grader", "username": "grader"}
        forge.comments.append(
            {"id": len(forge.comments) + 1, "body": body["body"], "user": who, "author": who}
        )
        return self.reply(forge.comments[-1], 201)

    do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815 - the names that http.server calls


@pytest.fixture
def forge():
    with Forge() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


TARGET = Target("ann", "ann/work", "abc123", "7")


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_status_and_one_comment_that_is_kept_up_to_date(forge, kind):
    """A second grading changes the comment of the first; the token is in the header alone."""
    sender = Sender(kind, address(forge), "hush")
    for points in (0.0, 4.0):
        items = (ITEMS[0].__class__("a", "n", "code", "mean", "passed" if points else "failed", points, 4.0),)
        told = [sender.send(post) for post in make_posts([standing(items=items)], [TARGET])]
    assert told == ["status set", "comment brought up to date"]
    assert [body["state"] for _, body in forge.statuses] == {
        "github": ["failure", "success"],
        "gitlab": ["failed", "success"],
    }[kind]
    assert forge.statuses[0][0].endswith("/statuses/abc123")
    (comment,) = forge.comments
    assert "4 of 4 points" in comment["body"]
    assert forge.tokens == {"Bearer hush" if kind == "github" else "hush"}
    assert not [path for _, path in forge.asked if "hush" in path]


def test_a_comment_that_a_student_wrote_is_not_taken_for_ours(forge):
    """Or the student could change it afterwards."""
    (post,) = (post for post in make_posts([standing()], [TARGET]) if post.kind == "comment")
    forge.comments += [{"id": 1, "body": f"{post.marker}\n5 of 5 points", "user": {"login": "ann"}}]
    forge.comments += [{"id": n, "body": "talk", "user": {"login": "ann"}} for n in range(2, 150)]
    assert Sender("github", address(forge), "x").send(post) == "comment written"
    assert forge.comments[0]["body"].endswith("5 of 5 points")
    assert Sender("github", address(forge), "x").send(post) == "comment brought up to date"


def test_what_is_posted_tells_no_hidden_test_and_mentions_nobody():
    """Markup and mentions of a title stay text."""
    posts = list(make_posts([standing()], [TARGET]))
    assert {post.kind for post in posts} == {"status", "comment"}
    text = "".join(post.text for post in posts)
    assert "inputs" not in text
    assert "secret" not in text
    assert "@staff" not in text
    assert "<img" not in text.replace("\\<", "")


def test_points_are_not_shown_to_the_world(forge):
    """In a public repository nothing is posted unless it is asked for."""
    forge.public.add("ann/work")
    post = next(make_posts([standing()], [TARGET]))
    assert "everybody could read" in Sender("github", address(forge), "x").send(post)
    assert not forge.statuses
    assert Sender("github", address(forge), "x", public_too=True).send(post) == "status set"


def test_a_busy_forge_is_asked_again_and_a_refusal_is_told(forge, monkeypatch):
    """Three times, with pauses; a redirect is not followed, for the token would go with it."""
    pauses = []
    monkeypatch.setattr("fairmark.pipelines.posting.time.sleep", pauses.append)
    post = next(make_posts([standing()], [TARGET]))
    forge.failures = 2
    assert Sender("github", address(forge), "x").send(post) == "status set"
    assert pauses == [2.0, 4.0]
    forge.failures = 9
    with pytest.raises(OSError, match="503"):
        Sender("github", address(forge), "x").send(post)
    forge.failures, forge.redirect = 0, "http://127.0.0.1:1/"
    with pytest.raises(OSError, match="307"):
        Sender("github", address(forge), "x").send(post)


def test_our_failure_is_no_failure_of_the_student():
    """It is told as an error; what waits for a person is pending."""
    (status,) = make_posts([standing(status="error")], [Target("ann", "ann/work", "abc")])
    assert status.state == "error"
    waiting = (Item("w", "n", "written", "why", "skipped", 0.0, 3.0, needs_review=True),)
    (status,) = make_posts([standing(items=waiting)], [Target("ann", "ann/work", "abc")])
    assert status.state == "pending"


def test_a_token_is_not_sent_in_the_open():
    """Only https, save on this machine."""
    with pytest.raises(UsageError, match="https"):
        Sender("github", "http://forge.example.org", "x")


@pytest.mark.parametrize(
    "line",
    ["ann,work,,", "ann,../x,,", "ann,a/..,,", "ann,a/b,abc/def,", "ann,a/b,,seven", "ann,a/b,,1/../2"],
)
def test_a_table_with_odd_addresses_is_refused(line):
    """Nothing of it may lead elsewhere in the forge's interface."""
    with pytest.raises(UsageError, match="Line 2"):
        read_targets(f"student,repository,commit,pull\n{line}\n")


def test_a_table_without_the_columns_is_refused():
    """Commits and pull requests may be missing."""
    assert read_targets("student,repository\nann,ann/work\n") == (Target("ann", "ann/work"),)
    with pytest.raises(UsageError, match="columns"):
        read_targets("a,b\n")


def test_the_command_posts_where_it_is_told(forge, tmp_path, monkeypatch, capsys):
    """`--really`, and a token in the environment."""
    course = make_course(tmp_path)
    assignment = read_assignment(course, "ps1")
    ensure_assignment(course, assignment)
    items = (Item("mean-test", "numbers", "code", "mean", "passed", 4.0, 4.0),)
    with Writer(course) as writer:
        writer.save(standing(items=items).result, {})
    (tmp_path / "targets.csv").write_text(
        "student,repository,commit,pull\nann,ann/work,abc,7\nbob,bob/w,abc,1\n"
    )
    words = ["ci", "post", "ps1", "--forge", "github", "--course", str(tmp_path), "--api", address(forge)]
    monkeypatch.delenv("FAIRMARK_TOKEN", raising=False)
    assert main(words) == 0
    assert "nothing was sent" in capsys.readouterr().out
    assert not forge.asked
    assert main([*words, "--really"]) == 2
    monkeypatch.setenv("FAIRMARK_TOKEN", "hush")
    assert main([*words, "--really"]) == 0
    assert len(forge.statuses) == len(forge.comments) == 1
    forge.redirect = "http://127.0.0.1:1/"
    assert main([*words, "--really"]) == 1
    assert "hush" not in capsys.readouterr().out
