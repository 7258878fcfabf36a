"""Task and roster are read as people write them, under many names."""

import pytest

from fairmark.repository.assignment import read_papers
from fairmark.repository.records import Student, Task

EXPECTED = Task(
    "docs/a.md",
    ("The cat sat.",),
    ("teh",),
    ("a.md",),
    max_bytes=5000,
    opens=1_700_000_000,
    due=1_800_000_000,
)
TASKS = {
    "plain": """
path = "docs/a.md"
former_paths = ["a.md"]
wrong = "teh"
correct = "The cat sat."
max_bytes = 5000
opens = 1700000000
due = 1800000000
""",
    "tables": """
[file]
path = "./docs/a.md"
former_paths = ["docs/a.md", "a.md"]
[typo]
wrong = "teh"
corrected_sentence = "The cat sat."
[limits]
size_limit_bytes = 5000
[time]
opens_at = 2023-11-14T22:13:20Z
due_at = 2027-01-15T09:00:00+01:00
""",
    "names that nobody listed": """
target-path = "docs/a.md"
previous_locations = "a.md"
Wrong-Spelling = "teh"
corrected_text = "The cat sat."
blob_limit = "5 kB"
opening_timestamp = "1700000000"
due_timestamp = 1800000000.0
""",
}
ANNA = Student("anna", "Anna Berg", ("anna@uni.example", "a.berg@home.example"), "anna-b", "/forks/anna")
BEN = Student("ben", "Ben Carl", ("ben@uni.example",), "", "")
ROSTERS = {
    "one cell": """id,name,emails,login,fork
anna,Anna Berg,anna@uni.example;A.Berg@home.example,anna-b,/forks/anna
ben,Ben Carl,ben@uni.example,,
""",
    "two columns": """Student ID;Full name;E-mail 1;E-mail 2;GitHub user;Fork address
anna;Anna Berg;anna@uni.example;a.berg@home.example;@Anna-B;/forks/anna
ben;Ben Carl;ben@uni.example;;;
""",
    "names that nobody listed": """matriculation,forename (given),last,E-mail address(es),username,repository_url
anna,Anna,Berg,"anna@uni.example, a.berg@home.example",anna-b,/forks/anna
ben,Ben,Carl,<ben@uni.example>,,
""",
    "no heading": """anna,Anna Berg,anna@uni.example a.berg@home.example,anna-b,/forks/anna
ben,Ben Carl,ben@uni.example
""",
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("roster", ROSTERS)
def test_the_same_is_read_however_it_is_written(tmp_path, task, roster):
    """Other names, tables, times and separators make no difference."""
    (tmp_path / "TASK.toml").write_text(TASKS[task])
    (tmp_path / "ROSTER.csv").write_text(ROSTERS[roster])
    read, students = read_papers(tmp_path / "TASK.toml", tmp_path / "ROSTER.csv")
    assert (read, students) == (EXPECTED, (ANNA, BEN))


def test_an_entry_by_its_own_name_counts_before_a_likely_one(tmp_path):
    """The address of the original is not the page, whichever stands first."""
    (tmp_path / "TASK.toml").write_text('upstream_path = "/x"\ndata_file = "b.md"\n' + TASKS["plain"])
    (tmp_path / "ROSTER.csv").write_text(ROSTERS["no heading"])
    read, _ = read_papers(tmp_path / "TASK.toml", tmp_path / "ROSTER.csv")
    assert (read.path, read.upstream) == ("docs/a.md", "/x")
