"""Judges environment files by what would be installed from them; offline, and executing nothing."""

from fairmark.environment.exercise import Clash, Exercise
from fairmark.environment.index import Index, read_index

__all__ = ["Clash", "Exercise", "Index", "read_index"]
