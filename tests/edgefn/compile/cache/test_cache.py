"""The cache: whole entries or none."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from edgefn.compile.cache.cache import TEMPORARY, UNUSED_S, Cache, key_of


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    cache.make("kind", "key", lambda into: (into / "file").write_text("content"))
    return cache


def test_an_entry_is_found_as_it_was_made(cache: Cache) -> None:
    """What was filled in is there under its kind and key, and nowhere else."""
    folder = cache.find("kind", "key")
    assert folder is not None
    assert (folder / "file").read_text() == "content"
    assert cache.find("kind", "other") is None
    assert cache.find("other", "key") is None


@pytest.mark.parametrize("damage", ["change", "truncate", "remove", "add", "index", "no index"])
def test_a_damaged_entry_is_made_again(cache: Cache, damage: str) -> None:
    """An entry that does not check is as good as none, and the new one replaces it."""
    folder = cache.find("kind", "key")
    assert folder is not None
    match damage:
        case "change":
            (folder / "file").write_text("CONTENT")
        case "truncate":
            (folder / "file").write_text("")
        case "remove":
            (folder / "file").unlink()
        case "add":
            (folder / "more").write_text("")
        case "index":
            (folder / "entry.json").write_text("{")
        case "no index":
            (folder / "entry.json").unlink()
    assert cache.find("kind", "key") is None
    again = cache.obtain("kind", "key", lambda into: (into / "file").write_text("content"))
    assert (again / "file").read_text() == "content"
    assert cache.find("kind", "key") == again


def test_a_fill_that_fails_leaves_nothing(cache: Cache) -> None:
    """An interrupted result is not an entry, and leaves no folder behind."""

    def fill(into: Path) -> None:
        (into / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.make("kind", "new", fill)
    assert cache.find("kind", "new") is None
    assert [path.name for path in cache.root.iterdir()] == ["kind"]


def test_the_folder_may_be_deleted_at_any_time(cache: Cache) -> None:
    """With the cache gone, everything is made again."""
    shutil.rmtree(cache.root)
    assert cache.find("kind", "key") is None
    cache.prune()
    assert cache.make("kind", "key", lambda into: None).is_dir()


def test_a_fresh_cache_finds_only_what_it_made_itself(cache: Cache) -> None:
    """--force takes nothing from before, and within one build makes nothing twice."""
    fresh = Cache(cache.root, fresh=True)
    assert fresh.find("kind", "key") is None
    made = fresh.make("kind", "key", lambda into: (into / "file").write_text("new"))
    assert fresh.find("kind", "key") == made
    assert (made / "file").read_text() == "new"


def test_unused_entries_go_and_used_ones_stay(cache: Cache) -> None:
    """A month without being found removes an entry; being found keeps it."""
    cache.make("kind", "old", lambda into: None)
    long_ago = time.time() - UNUSED_S - 60
    for key in ("key", "old"):
        os.utime(cache.root / "kind" / key, (long_ago, long_ago))
    assert cache.find("kind", "key")
    cache.prune()
    assert [path.name for path in (cache.root / "kind").iterdir()] == ["key"]


def test_what_was_being_made_goes_and_entries_stay(cache: Cache) -> None:
    """As a build finds it after one that was killed."""
    (cache.root / f"{TEMPORARY}killed" / "compile-0").mkdir(parents=True)
    cache.clear()
    assert [path.name for path in cache.root.iterdir()] == ["kind"]
    assert cache.find("kind", "key")


def test_a_key_depends_on_every_part_and_not_on_the_order_of_a_dict() -> None:
    """Keys differ where parts do, and nesting is not flattened."""
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of("ab"), key_of("a", "b"), key_of(["a", "b"]), key_of("a"), key_of("a", None)}) == 5
