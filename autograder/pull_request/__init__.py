"""The assignment ``pull_request``: what each rule over the student's fork and pull request is worth."""

from pathlib import Path

from fairmark.proposals import Proposal

checks = Proposal(
    "Your pull request",
    {
        "fork_reachable": 1,
        "is_fork": 1,
        "has_own_commits": 1,
        "pushed": 1,
        "on_branch": 1,
        "pr_opened": 2,
        "pr_from_own_fork": 1,
        "pr_has_changes": 1,
        "right_file": 1,
        "fix_present": 2,
        "minimal": 2,
        "clean_merge": 1,
        "author_matches": 1,
        "on_time": 1,
        "no_big_files": 1,
        "message_ok": 2,
    },
    Path(__file__).parent,
)
