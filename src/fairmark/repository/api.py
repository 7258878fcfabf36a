"""Asks a forge's public API who opened which pull request, and when; nothing depends on an answer."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fairmark.repository.records import Opening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.repository.address import Address

_SECONDS = 20.0
_MOST_BYTES = 8 * 2**20
_PAGE, _MOST_PAGES = 100, 10
_LEAST_LEFT = 5  # requests that are left to others from the same address within the hour


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: a token must not reach another server."""


_opener = urllib.request.build_opener(_NoRedirect)


def ask_forge(address: Address, token: str = "") -> tuple[dict[int, Opening], str]:
    """Return what the forge says of an original's pull requests, by number, and what went wrong.

    A class of 200 takes two or three requests; without a token GitHub answers 60 an hour. The limit that the
    server tells is heeded.

    Parameters
    ----------
    address : Address
        Of the original: ``github.com``, ``gitlab.*``, or a Gitea or Forgejo.
    token : str
        The instructor's, where there is one.

    Returns
    -------
    openings : dict of int to Opening
    trouble : str
        Empty where all went well.
    """
    openings: dict[int, Opening] = {}
    try:
        for document in _read_pages(address, token):
            for entry in document:
                number, opening = _read_opening(entry)
                openings[number] = opening
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        words = " ".join(str(error).split())[:200]
        return openings, f"the forge's API did not answer ({type(error).__name__}: {words})"
    return openings, ""


def _read_pages(address: Address, token: str) -> Iterator[list[Any]]:
    start = api_address(address)
    for number in range(1, _MOST_PAGES + 1):
        headers = {"Accept": "application/json", "User-Agent": "fairmark"}
        if token:
            headers["PRIVATE-TOKEN" if _is_gitlab(address) else "Authorization"] = (
                token if _is_gitlab(address) else f"token {token}"
            )
        request = urllib.request.Request(f"{start}&page={number}", headers=headers)  # noqa: S310 - built by us
        try:
            with _opener.open(request, timeout=_SECONDS) as answer:
                data = answer.read(_MOST_BYTES + 1)
                left = answer.headers.get("X-RateLimit-Remaining", "")
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(f"status {error.code}") from None
        if len(data) > _MOST_BYTES:
            raise ValueError("the answer is too long")
        document = json.loads(data)
        if not isinstance(document, list):
            raise ValueError("the answer is no list")  # noqa: TRY004 - the server's fault
        yield document
        if len(document) < _PAGE:
            return
        if left.isdigit() and int(left) < _LEAST_LEFT:
            raise OSError("its limit of requests is nearly used up")


def api_address(address: Address) -> str:
    """Return where a forge lists the pull requests of a repository."""
    base = f"{address.transport}://{address.host}"
    if address.host == "github.com":
        return f"https://api.github.com/repos/{address.owner}/{address.name}/pulls?state=all&per_page={_PAGE}"
    if _is_gitlab(address):
        project = quote(f"{address.owner}/{address.name}", safe="")
        return f"{base}/api/v4/projects/{project}/merge_requests?state=all&per_page={_PAGE}"
    return f"{base}/api/v1/repos/{address.owner}/{address.name}/pulls?state=all&limit={_PAGE}"


def _is_gitlab(address: Address) -> bool:
    return "gitlab" in address.host


def _read_opening(entry: dict[str, Any]) -> tuple[int, Opening]:
    """Read one entry, in GitHub's and Gitea's words or in GitLab's."""
    number = entry["iid"] if "iid" in entry else entry["number"]
    user = entry.get("user") or entry.get("author") or {}
    login = str(user.get("login") or user.get("username") or "").casefold()
    moment = re.sub(r"Z$", "+00:00", str(entry["created_at"]))
    head = entry.get("head") or {}
    return int(number), Opening(
        login=login[:100],
        at=datetime.fromisoformat(moment).timestamp(),
        title=str(entry.get("title", ""))[:300],
        state=str(entry.get("state", ""))[:20],
        branch=str(entry.get("source_branch") or head.get("ref") or "")[:200],
    )
