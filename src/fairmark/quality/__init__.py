"""Checks of any repository of a student's: licence, citation, README, dependencies, files, messages."""

from fairmark.quality.checklist import HABITS, Checklist
from fairmark.quality.habits import Verdict
from fairmark.quality.snapshot import Blob, Commit, Snapshot, snapshot_of_folder

__all__ = ["HABITS", "Blob", "Checklist", "Commit", "Snapshot", "Verdict", "snapshot_of_folder"]
