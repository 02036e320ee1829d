"""Which users a plain user may give: what root's two files say of it, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.system import subids

UID = 1234
LINE = st.one_of(
    st.builds("{}:{}:{}".format, st.sampled_from([UID, 1235, ""]), st.integers(-5, 10**6), st.integers(-5, 9**6)),
    st.text("0123456789:# x", max_size=20),
)


@given(users=st.lists(LINE, max_size=6), groups=st.lists(LINE, max_size=6))
def test_only_what_both_files_give_to_this_user(
    users: list[str], groups: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each number lies in a span of each file, and is neither root's nor the user's own, whatever else stands there."""
    folder = tmp_path_factory.mktemp("subids")
    files = tuple(folder / name for name in ("subuid", "subgid"))
    for path, lines in zip(files, (users, groups), strict=True):
        path.write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subids, "FILES", tuple(map(str, files)))
        patch.setattr(os, "geteuid", lambda: UID)
        patch.setattr(os, "getegid", lambda: UID)
        patch.setattr("shutil.which", lambda name: name)
        found = subids.available()
    for lines in (users, groups):
        spans = [_span(line) for line in lines if line.startswith(f"{UID}:")]
        assert not found or any(found[0] in span and found[-1] in span for span in spans)
    assert 0 not in found
    assert UID not in found


def _span(line: str) -> range:
    try:
        _, first, count = line.split(":")
        return range(int(first), int(first) + int(count))
    except ValueError:
        return subids.NONE


def test_none_without_the_programs_or_for_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root has all users; without newuidmap nobody maps any."""
    file = tmp_path / "both"
    file.write_text(f"{UID}:100000:65536\n")
    monkeypatch.setattr(subids, "FILES", (str(file), str(file)))
    monkeypatch.setattr(os, "geteuid", lambda: UID)
    monkeypatch.setattr("shutil.which", lambda name: name)
    assert subids.available() == range(100_000, 165_536)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert subids.available() == subids.NONE
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert subids.available() == subids.NONE
