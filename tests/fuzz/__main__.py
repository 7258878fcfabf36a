"""Fuzzes one reader of hostile data, guided by coverage: ``python -m tests.fuzz TARGET [libFuzzer's options]``.

What is found is written to the folder ``fuzz`` as ``crash-…``, ``timeout-…`` or ``oom-…``; mend the fault, then move
the file into ``tests/fuzz/corpus/TARGET``, where the test suite replays it ever after.
"""

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent

with atheris.instrument_imports(include=["fairmark"]):
    from tests.fuzz import targets


def main() -> None:
    """Run libFuzzer on a target's corpus."""
    name, *options = sys.argv[1:]
    if name not in targets.TARGETS:
        sys.exit(f"There is no target {name!r}; there are: {', '.join(targets.TARGETS)}.")
    grown = Path("fuzz", name)  # what this run adds; the corpus stays as it is
    grown.mkdir(parents=True, exist_ok=True)
    mutator = {}
    if name in ("wire", "notebook"):
        mutator["custom_mutator"] = lambda data, size, seed: targets.mutate_json(
            data, size, seed, atheris.Mutate
        )
    if name == "notebook":
        targets.instructor()
    limits = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=16384", "-artifact_prefix=fuzz/"]
    folders = [str(grown), str(HERE / "corpus" / name)]
    atheris.Setup([sys.argv[0], *limits, *options, *folders], targets.TARGETS[name], **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
