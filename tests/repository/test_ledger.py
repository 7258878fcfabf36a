"""The ledger is read again only where it was changed, whoever changed it."""

from fairmark.repository.ledger import Ledger, Sighting
from fairmark.repository.records import Fork


def sighting(student, at):
    return Sighting(at, student, "https://forge.example/o/r", "root", "page.md", Fork("x", "answered"), ())


def test_what_anybody_appends_is_seen(tmp_path):
    """What this ledger appends, what another one does, and a file in its place."""
    ours, theirs = (Ledger(tmp_path / "seen.jsonl") for _ in range(2))
    assert ours.read("ann") == ()
    ours.append([sighting("ann", 1.0), sighting("ben", 2.0)])
    assert ours.read("ann") == (sighting("ann", 1.0),)
    theirs.append([sighting("ann", 3.0)])
    ours.append([sighting("ann", 4.0)])
    for ledger in (ours, theirs, Ledger(ours.path)):
        assert [each.at for each in ledger.read("ann")] == [1.0, 3.0, 4.0]
        assert [each.at for each in ledger.read()] == [1.0, 2.0, 3.0, 4.0]
    with ours.path.open("a") as file:
        file.write('{"schema": "fairmark/sighting/v1", "stud')  # somebody was stopped
    assert [each.at for each in ours.read("ann")] == [1.0, 3.0, 4.0]
    ours.append([sighting("ann", 5.0)])
    assert [each.at for each in ours.read("ann")] == [1.0, 3.0, 4.0, 5.0]
    ours.path.unlink()
    assert ours.read("ann") == ()
    ours.append([sighting("cem", 6.0)])
    assert [each.student for each in ours.read()] == ["cem"]
