"""Posts results to a forge: a commit status, and one comment on the pull request that is kept up to date."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

import requests

from fairmark.errors import UsageError
from fairmark.exporters import write_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fairmark.exporters import Standing

Forge = Literal["github", "gitlab"]
API = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MAX_COMMENT = 60_000
_MAX_DESCRIPTION = 140
_SECONDS = 30
_ATTEMPTS = 3
_PAGES = 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where a student's work lies.

    Parameters
    ----------
    student : str
    repository : str
        ``owner/name``; on GitLab with all groups.
    commit : str
        The graded commit; without one no status is posted.
    pull : str
        The number of the pull request, or nothing.
    """

    student: str
    repository: str
    commit: str = ""
    pull: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """What is said where: a status of a commit, or a comment that bears `marker`."""

    target: Target
    kind: Literal["status", "comment"]
    state: str
    text: str
    marker: str


def read_targets(text: str) -> tuple[Target, ...]:
    """Read a table with the columns ``student``, ``repository``, ``commit`` and ``pull``.

    Raises
    ------
    UsageError
        Where a column is missing, or a line names no repository.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restval="")
    if not {"student", "repository"} <= set(reader.fieldnames or ()):
        raise UsageError("The table of repositories needs the columns student, repository, commit and pull.")
    targets = []
    for number, line in enumerate(reader, 2):
        target = Target(
            *((line.get(name) or "").strip() for name in ("student", "repository", "commit", "pull"))
        )
        good = "/" in target.repository and all(
            part and part not in (".", "..") for part in target.repository.split("/")
        )
        if not good or not ((target.pull.isascii() and target.pull.isdigit()) or not target.pull):
            raise UsageError(
                f"Line {number} of the table of repositories: owner/name, and a number or nothing."
            )
        if target.commit and not (target.commit.isalnum() and target.commit.isascii()):
            raise UsageError(f"Line {number} of the table of repositories: {target.commit!r} is no commit.")
        targets.append(target)
    return tuple(targets)


def make_posts(standings: Iterable[Standing], targets: Iterable[Target]) -> Iterator[Post]:
    """Yield what is to be said to each student whose repository is known."""
    of = {target.student: target for target in targets}
    for standing in standings:
        target = of.get(standing.person.id)
        if target is None:
            continue
        marker = f"<!-- fairmark: {quote(standing.assignment)} -->"
        state, words = _state(standing)
        if target.commit:
            yield Post(target, "status", state, words[:_MAX_DESCRIPTION], f"fairmark/{standing.assignment}")
        if target.pull:
            page = write_markdown([standing])
            if len(page) > _MAX_COMMENT:
                page = page[:_MAX_COMMENT].rpartition("\n")[0] + "\n\nThe rest is on your feedback page.\n"
            yield Post(target, "comment", state, f"{marker}\n{page}", marker)


def _state(standing: Standing) -> tuple[str, str]:
    points = f"{standing.score:g} of {standing.max_score:g} points"
    if standing.status == "error":
        return "error", "The grader failed; your instructor has to look at it."
    if standing.needs_review:
        return "pending", f"{points} so far; a person has still to look at something."
    return ("success" if standing.score >= standing.max_score else "failure"), f"{points}."


class Sender:
    """Posts to one forge.

    Parameters
    ----------
    forge : {'github', 'gitlab'}
    api : str
        Its address: https, or on this machine.
    token : str
    public_too : bool
        Post points where everybody can read them.
    """

    def __init__(self, forge: Forge, api: str, token: str, *, public_too: bool = False) -> None:
        parts = urlsplit(api)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise UsageError(f"{api} is not an https address: the token would be sent in the open.")
        self.forge = forge
        self.api = api.rstrip("/")
        self.public_too = public_too
        self._private: dict[str, bool] = {}
        self._me: str | None = None
        self._session = requests.Session()
        self._session.trust_env = False  # no token of somebody's ~/.netrc
        name = "Authorization" if forge == "github" else "PRIVATE-TOKEN"
        self._session.headers.update(
            {name: f"Bearer {token}" if forge == "github" else token, "Accept": "application/json"}
        )

    def send(self, post: Post) -> str:
        """Post, and tell what was done in a word or two.

        Raises
        ------
        OSError
            Where the forge refuses or does not answer.
        """
        if not self.public_too and not self._is_private(post.target.repository):
            return "left out: everybody could read the points (--public-too)"
        if post.kind == "status":
            self._ask("POST", self._status_address(post.target), self._status(post))
            return "status set"
        notes, one = self._comment_addresses(post.target)
        for page in range(1, _PAGES + 1):
            found = self._ask("GET", f"{notes}?per_page=100&page={page}")
            for note in found:
                if str(note.get("body", "")).startswith(post.marker) and self._is_ours(note):
                    self._ask(
                        "PATCH" if self.forge == "github" else "PUT",
                        f"{one}/{note['id']}",
                        {"body": post.text},
                    )
                    return "comment brought up to date"
            if len(found) < 100:
                break
        self._ask("POST", notes, {"body": post.text})
        return "comment written"

    def _is_private(self, repository: str) -> bool:
        if repository not in self._private:
            about = self._ask("GET", self._repository(repository))
            known = about.get("private") is True or about.get("visibility") == "private"
            self._private[repository] = known
        return self._private[repository]

    def _is_ours(self, note: Mapping[str, Any]) -> bool:
        """Tell whether we wrote a comment: what a student wrote could be changed by the student again."""
        if self._me is None:
            try:
                about = self._ask("GET", f"{self.api}/user")
            except OSError:  # a pipeline's own token is nobody's
                about = {}
            self._me = str(about.get("login") or about.get("username") or "")
        writer = note.get("user") or note.get("author") or {}
        return bool(self._me) and (writer.get("login") or writer.get("username")) == self._me

    def _repository(self, repository: str) -> str:
        if self.forge == "github":
            return f"{self.api}/repos/{quote(repository)}"
        return f"{self.api}/projects/{quote(repository, safe='')}"

    def _status_address(self, target: Target) -> str:
        return f"{self._repository(target.repository)}/statuses/{target.commit}"

    def _status(self, post: Post) -> dict[str, str]:
        if self.forge == "github":
            return {"state": post.state, "description": post.text, "context": post.marker}
        states = {"failure": "failed", "error": "failed"}
        return {"state": states.get(post.state, post.state), "description": post.text, "name": post.marker}

    def _comment_addresses(self, target: Target) -> tuple[str, str]:
        base = self._repository(target.repository)
        if self.forge == "github":
            return f"{base}/issues/{target.pull}/comments", f"{base}/issues/comments"
        notes = f"{base}/merge_requests/{target.pull}/notes"
        return notes, notes

    def _ask(self, method: str, address: str, data: Mapping[str, str] | None = None) -> Any:
        for attempt in range(1, _ATTEMPTS + 1):
            # A redirect would carry the token to wherever it leads.
            answer = self._session.request(
                method, address, json=data, timeout=_SECONDS, allow_redirects=False
            )
            if answer.status_code not in (429, 502, 503, 504) or attempt == _ATTEMPTS:
                break
            waiting = answer.headers.get("Retry-After", "")
            time.sleep(min(float(waiting) if waiting.isdigit() else 2.0**attempt, 60.0))
        if not 200 <= answer.status_code < 300:
            raise OSError(f"{method} {address}: the forge answered {answer.status_code}: {answer.text[:200]}")
        return answer.json() if answer.content else {}
