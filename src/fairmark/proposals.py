"""Checks of a pull request in a graded cell: points by rule, verdicts from the grader.

This runs in the examiner's room, which has neither git nor a network: the grader looks, and answers with
plain data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairmark.checks import Report
from fairmark.inquiry import NobodyAnswers, ask_grader, has_grader
from fairmark.repository.records import RULE_IDS
from fairmark.results import CheckResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairmark.results import Status

TITLES = {
    "fork_reachable": "The address leads to a repository.",
    "is_fork": "It is a fork of the original.",
    "has_own_commits": "There are commits of yours.",
    "pushed": "They are on the server.",
    "on_branch": "They are on a branch of their own.",
    "pr_opened": "There is a pull request of yours.",
    "pr_from_own_fork": "It comes from your fork.",
    "pr_has_changes": "It changes something.",
    "right_file": "It changes the right page.",
    "fix_present": "The sentence is right.",
    "minimal": "Nothing else was changed.",
    "clean_merge": "It merges without conflicts.",
    "pr_merged": "It was merged.",
    "author_matches": "The commits bear your name.",
    "dates_plausible": "Their dates can be true.",
    "on_time": "The work was there in time.",
    "no_big_files": "The commits hold no large file.",
    "message_ok": "The messages say what was changed.",
}
_STATUS: dict[str, Status] = {"pass": "passed", "fail": "failed", "na": "failed", "unknown": "error"}
_NO_ADDRESS = "No address was given yet."
_LONGEST = 500


class Proposal:
    """What a pull request is worth, rule by rule.

    Parameters
    ----------
    title : str
        What the student reads above the checks.
    points : mapping of str to float
        By rule; a rule that is not named is not looked at.
    folder : Path
        Where ``task.toml`` lies, with the original's files in ``upstream/``: the reference solution is
        judged by a rehearsal of the exercise on a stand-in forge.

    Examples
    --------
    ::

        checks = Proposal("Pull request", {"pr_opened": 2, "fix_present": 2}, Path(__file__).parent)
        checks.grade(fork_url)
    """

    def __init__(self, title: str, points: Mapping[str, float], folder: Path) -> None:
        unknown = [rule for rule in points if rule not in RULE_IDS]
        if unknown:
            raise ValueError(f"{title!r} names rules that do not exist: {', '.join(unknown)}")
        if not all(each > 0 for each in points.values()):
            raise ValueError(f"{title!r} has a rule without points: leave it out")
        self.title = title
        self.weights = dict(points)
        self.folder = folder

    @property
    def points(self) -> float:
        """Sum of the rules' points; the notebook's cell has the same number."""
        return round(sum(self.weights.values()), 6)

    def grade(self, fork_url: object) -> Report:
        """Judge the work that an address leads to.

        Parameters
        ----------
        fork_url : object
            What the student wrote; anything but a text is no address.
        """
        address = fork_url.strip()[:_LONGEST] if type(fork_url) is str else ""
        if not address:
            results = [self._result(rule, "failed", _NO_ADDRESS, "") for rule in self.weights]
            return Report(self.title, tuple(results), "git")
        try:
            findings = self._ask(address)
        except NobodyAnswers as error:
            words = f"This could not be looked at ({error}). It is our fault, not yours."
            results = [self._result(rule, "error", words, "") for rule in self.weights]
        else:
            results = [self._read(rule, findings) for rule in self.weights]
        return Report(self.title, tuple(results), "git")

    def _ask(self, address: str) -> dict[str, Any]:
        if has_grader():
            answer = ask_grader("git", address)
        else:
            from fairmark.repository.rehearsal import rehearse_reference  # noqa: PLC0415 - needs git

            answer = rehearse_reference(self.folder, address)
            if answer is None:
                raise NobodyAnswers("git work is graded by fairmark alone, not by an ordinary kernel")
        return {finding["rule"]: finding for finding in answer["findings"]}

    def _read(self, rule: str, findings: dict[str, Any]) -> CheckResult:
        finding = findings[rule]
        verdict = finding["verdict"]
        status = _STATUS[verdict]
        if verdict == "unknown" and findings["fork_reachable"]["verdict"] == "fail":
            # An address that leads nowhere is the student's to mend, unless there is work to be seen all
            # the same.
            status = "failed" if findings["pr_opened"]["verdict"] == "fail" else "error"
        return self._result(rule, status, finding["message"], finding["hint"])

    def _result(self, rule: str, status: Status, message: str, hint: str) -> CheckResult:
        passed = status == "passed"
        points = self.weights[rule]
        score = points if passed else 0.0
        return CheckResult(
            TITLES[rule], status, score, points, "" if passed else message, "" if passed else hint
        )
