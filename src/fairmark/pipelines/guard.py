"""Refuses to grade where a pipeline was started by somebody whom the course does not trust."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|PRIVATE_KEY|API_KEY|ACCESS_KEY", re.IGNORECASE)
# What the runners of GitHub and GitLab set for their own use.
_RUNNERS_OWN = re.compile(
    r"ACTIONS_(RUNTIME|CACHE|RESULTS|ID_TOKEN)_|CI_JOB_TOKEN$|CI_DEPENDENCY_PROXY|CI_REGISTRY_"
)
_BY_PULL_REQUEST = (
    "pull_request",
    "pull_request_target",
    "pull_request_review",
    "pull_request_review_comment",
)
_MAX_EVENT = 16 * 2**20


def refuse_unsafe_pipeline(environment: Mapping[str, str]) -> None:
    """Let nobody's pull request start grading.

    Parameters
    ----------
    environment : mapping of str to str
        The variables that the process was started with.

    Raises
    ------
    UsageError
        In a pipeline that was started from a fork, or by something that a stranger can cause while the
        environment holds secrets.
    """
    reason = _of_github(environment) or _of_gitlab(environment)
    if reason:
        secrets = find_secrets(environment)
        held = f" Its environment holds {', '.join(secrets)}." if secrets else ""
        raise UsageError(
            f"Nothing is graded here: {reason}.{held} Whoever opens a pull request decides what such a "
            "pipeline runs, and could read the hidden tests and every secret. Start grading by a timer or by "
            "hand, in the course's own repository: fairmark ci write makes the files."
        )


def find_secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of variables that look like secrets, sorted; never their values."""
    return tuple(
        sorted(
            name
            for name, value in environment.items()
            if value and _SECRET.search(name) and not _RUNNERS_OWN.match(name)
        )
    )


def _of_github(environment: Mapping[str, str]) -> str:
    name = environment.get("GITHUB_EVENT_NAME", "")
    if not name or "GITHUB_ACTIONS" not in environment:
        return ""
    event = _read_event(environment.get("GITHUB_EVENT_PATH", ""))
    if name in _BY_PULL_REQUEST:
        pull = _part(event, "pull_request")
        head, base = (_part(_part(pull, side), "repo").get("full_name") for side in ("head", "base"))
        if head is None or head != base:
            return f"the pipeline was started by {name} from the fork {str(head)[:100]!r}"
        return f"{name} runs with the course's secrets" if name == "pull_request_target" else ""
    if name == "workflow_run":
        run = _part(event, "workflow_run")
        head, here = (
            _part(run, "head_repository").get("full_name"),
            _part(event, "repository").get("full_name"),
        )
        if head is None or head != here:
            return f"the pipeline follows one of the fork {str(head)[:100]!r}"
    if name in (
        "issue_comment",
        "issues",
        "discussion",
        "discussion_comment",
        "fork",
        "watch",
    ) and find_secrets(environment):
        return f"anybody can cause the event {name}"
    return ""


def _of_gitlab(environment: Mapping[str, str]) -> str:
    if environment.get("CI_PIPELINE_SOURCE") not in ("merge_request_event", "external_pull_request_event"):
        return ""
    source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    if source is None or source != environment.get(
        "CI_MERGE_REQUEST_PROJECT_ID", environment.get("CI_PROJECT_ID")
    ):
        return f"the pipeline was started by a merge request from the fork {source!r}"
    return ""


def _read_event(path: str) -> dict[str, Any]:
    """Return what started the pipeline; what cannot be read counts as a stranger's."""
    try:
        file = Path(path)
        if file.stat().st_size > _MAX_EVENT:
            return {}
        event = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _part(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = value.get(name)
    return part if isinstance(part, dict) else {}
