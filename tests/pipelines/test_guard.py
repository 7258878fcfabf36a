"""A pipeline that a stranger started grades nothing."""

import json

import pytest

from fairmark.cli import main
from fairmark.errors import UsageError
from fairmark.pipelines.guard import find_secrets, refuse_unsafe_pipeline


def github(tmp_path, name, event):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path)}


def pull(head, base="staff/course"):
    return {"pull_request": {"head": {"repo": {"full_name": head}}, "base": {"repo": {"full_name": base}}}}


TOKEN = {"POST_TOKEN": "x"}


@pytest.mark.parametrize(
    ("name", "event", "more"),
    [
        ("pull_request", pull("student/course"), {}),
        ("pull_request", pull("student/course"), TOKEN),
        ("pull_request", {"pull_request": {"head": {"repo": None}, "base": None}}, {}),  # the fork is gone
        ("pull_request", [], {}),
        ("pull_request_target", pull("student/course"), {}),
        ("pull_request_target", pull("staff/course"), {}),
        (
            "workflow_run",
            {
                "workflow_run": {"head_repository": {"full_name": "student/course"}},
                "repository": {"full_name": "staff/course"},
            },
            {},
        ),
        ("issue_comment", {"issue": {"pull_request": {}}}, TOKEN),
        ("fork", {}, TOKEN),
    ],
)
def test_what_strangers_can_cause_is_refused(tmp_path, name, event, more):
    """Pull requests from forks, pipelines that follow them, and comments where there are secrets."""
    with pytest.raises(UsageError, match="Nothing is graded here"):
        refuse_unsafe_pipeline(github(tmp_path, name, event) | more)


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("schedule", {}),
        ("workflow_dispatch", {}),
        ("push", {}),
        ("pull_request", pull("staff/course")),
    ],
)
def test_timers_hands_and_the_staffs_own_branches_are_let_through(tmp_path, name, event):
    """With secrets, too."""
    refuse_unsafe_pipeline(github(tmp_path, name, event) | TOKEN)


def test_an_event_that_cannot_be_read_counts_as_a_strangers(tmp_path):
    """Missing, or no JSON."""
    environment = github(tmp_path, "pull_request", pull("staff/course"))
    (tmp_path / "event.json").write_text("{")
    with pytest.raises(UsageError):
        refuse_unsafe_pipeline(environment)
    with pytest.raises(UsageError):
        refuse_unsafe_pipeline(environment | {"GITHUB_EVENT_PATH": ""})


def test_merge_requests_from_forks_are_refused():
    """GitLab tells both projects."""
    here = {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_PROJECT_ID": "1",
    }
    refuse_unsafe_pipeline(here | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"})
    refuse_unsafe_pipeline({"CI_PIPELINE_SOURCE": "schedule"})
    with pytest.raises(UsageError):
        refuse_unsafe_pipeline(here | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"})
    with pytest.raises(UsageError):
        refuse_unsafe_pipeline(here)


def test_secrets_are_named_and_never_shown(tmp_path):
    """The runner's own variables are none."""
    environment = {
        "AWS_SECRET_KEY": "hush",
        "ACTIONS_RUNTIME_TOKEN": "x",
        "CI_JOB_TOKEN": "x",
        "EMPTY_TOKEN": "",
    }
    assert find_secrets(environment) == ("AWS_SECRET_KEY",)
    with pytest.raises(UsageError) as caught:
        refuse_unsafe_pipeline(environment | github(tmp_path, "pull_request", pull("student/course")))
    assert "AWS_SECRET_KEY" in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("words", [["ci", "check"], ["grade", "ps1"]])
def test_the_commands_refuse(tmp_path, monkeypatch, words, capsys):
    """Before they look at anything."""
    for name, value in github(tmp_path, "pull_request_target", pull("student/course")).items():
        monkeypatch.setenv(name, value)
    assert main(words) == 2
    assert "Nothing is graded here" in capsys.readouterr().err
