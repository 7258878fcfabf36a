"""Answers that are found without git, or many at once, are the ones that git gives."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fairmark.repository.address import read_address
from fairmark.repository.evidence import Register, Scene
from fairmark.repository.mirror import Mirror

from .scenarios import FIXED, PATH, ROSTER, TASK


def open_mirror(world):
    """Return a mirror with all that Anna's fork and the original hold, and a scene of it."""
    mirror = Mirror(world.folder / "m.git")
    heads = {}
    for repository in (world.upstream, world.anna):
        address = read_address(str(repository.folder), local=True)
        refs = mirror.list_refs(address)
        mirror.fetch_fork(address, refs)
        heads |= {(repository.name, name): head for name, head in refs.heads.items()}
    refs = mirror.list_refs(read_address(str(world.upstream.folder), local=True))
    history = mirror.read_history(refs.main, heads.values())
    return mirror, Scene(mirror, history, refs, TASK, Register(ROSTER), 0.0), heads


def test_graders_that_begin_together_make_one_mirror(tmp_path):
    """Each finds a whole one, whoever has made it, and nothing else is left."""
    for turn in range(4):
        together = threading.Barrier(4)

        def open_one(_, place=tmp_path / f"m{turn}.git", together=together):
            together.wait()
            with Mirror(place) as mirror, mirror.locked():
                return mirror.reader.head("0" * 40)

        with ThreadPoolExecutor(4) as pool:
            assert [*pool.map(open_one, range(4))] == [None] * 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"m{turn}.git" for turn in range(4)]


def test_a_folder_that_is_there_already_becomes_the_mirror(tmp_path):
    """Also one that lies elsewhere."""
    (tmp_path / "m.git" / "begun").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.git").symlink_to("elsewhere")
    for name in ("m.git", "link.git"):
        with Mirror(tmp_path / name) as mirror:
            assert mirror.reader.head("0" * 40) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link.git", "m.git"]
    assert (tmp_path / "elsewhere" / "HEAD").is_file()


def test_merges_are_the_same_alone_and_together(world):
    """Without conflicts, with them, of unrelated histories, of what is not there, and of one that holds the other."""
    base = world.upstream.head()
    for number in range(3):
        world.work({PATH: FIXED + f"{number}\n"}, branch=f"b{number}", parents=[base])
    world.work({"data/table.csv": "a,b\n"}, branch="other", parents=[base])
    world.anna.commit("alone", {PATH: "mine\n"}, "Begin anew", parents=[])
    world.teach({PATH: FIXED + "of the course\n"})
    mirror, scene, heads = open_mirror(world)
    with mirror:
        main = scene.history.main
        names = sorted(set(heads.values()) - {main})
        pairs = [(one, other) for one in [main, *names] for other in [main, *names]]
        pairs.insert(len(pairs) // 2, (main, "0" * 40))
        expected = {pair: mirror.merge(*pair) for pair in pairs}
        assert {clean for clean, _ in expected.values()} == {True, False, None}
        mirror.merge_ahead(pairs)
        assert mirror._merges
        assert {pair: mirror.merge(*pair) for pair in pairs} == expected
        mirror._merges.clear()
        assert {pair: scene.merge(*pair) for pair in pairs} == expected
        scene.merge_ahead(names)
        assert {pair: scene.merge(*pair) for pair in pairs} == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([{PATH: FIXED}], False),
        ([{"new/deep/big.bin": bytes(200_000)}], True),
        ([{"big.bin": bytes(200_000)}, {"big.bin": None}], True),
        ([{"theirs.bin": None, "moved.bin": bytes(150_000)}], False),
        ([{f"f{number}": "x" for number in range(600)}], False),
    ],
)
def test_large_files_are_looked_for_where_there_may_be_any(world, files, expected):
    """In any commit; what the original has, at whatever path, is not the student's."""
    world.teach({"theirs.bin": bytes(150_000)})
    world.anna = world.forge.fork(world.upstream, "w-anna2")
    for each in files:
        world.work(each)
    mirror, scene, _ = open_mirror(world)
    with mirror:
        core = scene.core(world.anna.head("fix-typo"))
        assert scene._list_large(core) == mirror.list_large(core.base, core.head, TASK.max_bytes)
        assert bool(scene._list_large(core)) == expected
