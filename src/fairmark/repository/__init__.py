"""Grades git work: forks, commits and pull requests, judged by rules over what a server shows.

::

    address → mirror → history → evidence → rules
                          ledger ↗

`address` reads what a student wrote, `process` runs git so that nothing hostile can act, `mirror` keeps one
bare copy of what servers show, `history` walks commits, `evidence` puts a student's facts together,
`ledger` remembers what was seen and when, `rules` are pure functions over evidence, and `checking` is the
whole way for one student.
"""

from fairmark.repository.records import RULE_IDS, Evidence, Finding, Student, Task

__all__ = ["RULE_IDS", "Evidence", "Finding", "Student", "Task"]
