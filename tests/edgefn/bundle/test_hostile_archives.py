"""Archives made to do harm are refused, and never touch a thing outside their folder."""

from __future__ import annotations

import io
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn.bundle.archive import pack, unpack
from edgefn.bundle.members import MAX_MEMBERS, MAX_PAX_BYTES, read_members
from edgefn.errors import BundleError

PIECES = st.sampled_from(["..", ".", "", "a", "b", "etc", "\\", "~", "C:", "link", "\u202e", "x" * 260, " ", "-rf"])
HOSTILE = st.lists(PIECES, min_size=1, max_size=5).map("/".join)
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **extra: object
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for key, value in extra.items():
        setattr(info, key, value)
    return info, data


def write_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=format, errors="surrogateescape") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return path


def refused(tar: Path, match: str, limit_bytes: int = 10**9, max_members: int = MAX_MEMBERS) -> None:
    """`unpack` refuses, and leaves nothing beside its own folder."""
    before = sorted(tar.parent.rglob("*"))
    out = tar.parent / "out" / "deep"
    with pytest.raises(BundleError, match=match):
        unpack(tar, out, limit_bytes=limit_bytes, max_members=max_members)
    after = [path for path in tar.parent.rglob("*") if out not in (path, *path.parents) and path != out.parent]
    assert sorted(after) == before


@settings(deadline=None, max_examples=200)
@given(entries=st.lists(st.tuples(HOSTILE, TYPES, HOSTILE), min_size=1, max_size=6))
def test_no_name_gets_outside(entries: list[tuple[str, bytes, str]]) -> None:
    """Whatever the members are called and wherever links in them point, nothing outside the folder changes."""
    with tempfile.TemporaryDirectory() as scratch:
        tar, out = Path(scratch, "tar"), Path(scratch, "a", "b", "c", "out")
        files = [
            member(name, b"evil" if kind == tarfile.REGTYPE else b"", kind, linkname=to) for name, kind, to in entries
        ]
        write_tar(tar, *files)
        with suppress(BundleError):
            unpack(tar, out, limit_bytes=10**9)
        everything = set(Path(scratch).rglob("*"))
        assert {path for path in everything if out not in path.parents} <= {tar, out, *out.parents}
        assert not any(path.is_symlink() or path.is_fifo() for path in everything)


@settings(deadline=None, max_examples=200)
@given(data=st.binary(max_size=3000), at=st.integers(0, 3000), keep=st.integers(0, 20480))
def test_damage_is_a_bundle_error(data: bytes, at: int, keep: int) -> None:
    """An archive with bytes changed anywhere or cut off anywhere is unpacked or refused; nothing else is raised."""
    with tempfile.TemporaryDirectory() as scratch:
        tar = Path(scratch, "tar")
        pack([("a/one", b"1" * 600), ("b" * 150, b"2"), ("c", b"")], tar)
        good = tar.read_bytes()
        tar.write_bytes((good[:at] + data + good[at + len(data) :])[:keep])
        with suppress(BundleError):
            unpack(tar, Path(scratch, "out"), limit_bytes=10**6)


@pytest.mark.parametrize("name", ["/tmp/evil", "../evil", "a/../../evil", "a/./b", "a//b", "..", "a\\b", "a\x01b"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_names_that_leave(tmp_path: Path, name: str, kind: bytes) -> None:
    """Absolute paths, parent folders, backslashes and control characters are refused."""
    refused(write_tar(tmp_path / "tar", member(name, kind=kind)), "name .* (is|has)")


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "fifo"),
        (tarfile.CONTTYPE, "unknown type"),
        (b"Z", "unknown type"),
    ],
)
def test_only_files_and_folders(tmp_path: Path, kind: bytes, match: str) -> None:
    """Links, devices, fifos and types that nobody has heard of are refused."""
    refused(write_tar(tmp_path / "tar", member("x", kind=kind, linkname="inside")), match)


def test_a_file_through_a_link_of_the_folder(tmp_path: Path) -> None:
    """A link that already lies in the folder is not followed out of it."""
    (tmp_path / "elsewhere").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").symlink_to(tmp_path / "elsewhere")
    (out / "b").symlink_to(tmp_path / "elsewhere" / "new")
    for name in ("a/evil", "b"):
        with pytest.raises(BundleError, match=r"already there|both a file"):
            unpack(write_tar(tmp_path / "tar", member(name, b"evil")), out, limit_bytes=10**6)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_name_twice(tmp_path: Path) -> None:
    """The second of two files of one name, and a file where a folder is, are refused."""
    refused(write_tar(tmp_path / "tar", member("x", b"1"), member("x", b"2")), "twice")
    (tmp_path / "b").mkdir()
    refused(write_tar(tmp_path / "b" / "tar", member("x", b"1"), member("x/y", b"2")), "both a file and a folder")
    (tmp_path / "c").mkdir()
    refused(write_tar(tmp_path / "c" / "tar", member("x/y", b"1"), member("x", b"2")), "already there")


def test_layers_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """A layer that holds another's file is refused, and so is one that holds more than its own folder."""
    tar = write_tar(tmp_path / "tar", member("code/x.py", b"1"))
    unpack(tar, tmp_path / "out", limit_bytes=10**6, below="code")
    with pytest.raises(BundleError, match="already there"):
        unpack(tar, tmp_path / "out", limit_bytes=10**6)
    for below in ("golden", "cod", "code/x.py/y"):
        with pytest.raises(BundleError, match="not below"):
            unpack(tar, tmp_path / "other", limit_bytes=10**6, below=below)


def test_more_bytes_than_declared(tmp_path: Path) -> None:
    """An archive larger than its descriptor says is refused before anything is written."""
    tar = write_tar(tmp_path / "tar", member("x", b"1" * 1000))
    refused(tar, "10240 bytes, but 10239 were declared", limit_bytes=10239)
    assert not list((tmp_path / "out").rglob("x"))


def test_a_member_longer_than_the_archive(tmp_path: Path) -> None:
    """A size that the archive does not have is a cut-off archive, not a wait or a sparse file."""
    info = tarfile.TarInfo("x")
    info.size = 2**33
    (tmp_path / "tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(512))
    refused(tmp_path / "tar", "ends inside 'x'")


def test_too_many_members(tmp_path: Path) -> None:
    """There is a limit to the number of files."""
    refused(write_tar(tmp_path / "tar", *(member(f"f{n}") for n in range(11))), "more than 10", max_members=10)


@pytest.mark.parametrize(
    "headers",
    [
        {"path": "../evil"},
        {"size": "0"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "evil", "GNU.sparse.realsize": "1"},
        {"linkpath": "/etc"},
        {"comment": "x" * MAX_PAX_BYTES},
        {"mtime": "1.5"},
    ],
)
def test_pax_headers(tmp_path: Path, headers: dict[str, str]) -> None:
    """A pax header that holds anything but one safe path is refused: sizes, sparse maps, bombs."""
    refused(write_tar(tmp_path / "tar", member("x", b"1", pax_headers=headers)), "pax header|has an empty part")


def test_a_pax_bomb_is_not_read(tmp_path: Path) -> None:
    """A pax header that says it has gigabytes is refused by its size, before a byte of it is read."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**32
    source = io.BytesIO(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(BundleError, match="4294967296 bytes"):
        list(read_members(source))


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_global_and_gnu_headers(tmp_path: Path, format: int) -> None:
    """Global pax headers and GNU long names, which other readers take, are out of the format."""
    tar = tmp_path / "tar"
    headers = {"comment": "all"} if format == tarfile.PAX_FORMAT else {}
    with tarfile.open(tar, "w", format=format, pax_headers=headers) as archive:
        archive.addfile(tarfile.TarInfo("x" * 150))
    refused(tar, "global pax header|unknown type")


def test_a_size_below_zero(tmp_path: Path) -> None:
    """A negative size, which base-256 numbers can say, does not send the reader backwards."""
    info = tarfile.TarInfo("x")
    info.size = -512
    (tmp_path / "tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    refused(tmp_path / "tar", "-512 bytes")


def test_cargo_after_the_end(tmp_path: Path) -> None:
    """Bytes behind the end of the archive are refused: nobody would see them."""
    tar = write_tar(tmp_path / "tar", member("x", b"1"))
    tar.write_bytes(tar.read_bytes() + b"cargo")
    refused(tar, "has bytes after its end")


@pytest.mark.parametrize("cut", [0, 1, 511, 512, 600, 1023])
def test_an_archive_that_ends_early(tmp_path: Path, cut: int) -> None:
    """An archive without its end is refused: it may lack files."""
    tar = write_tar(tmp_path / "tar", member("x", b"1" * 100))
    tar.write_bytes(tar.read_bytes()[:cut])
    refused(tar, "cut off|ends inside")


def test_not_utf8(tmp_path: Path) -> None:
    """A name that is not UTF-8 is refused."""
    refused(write_tar(tmp_path / "tar", member("\udcff\udcfe"), format=tarfile.GNU_FORMAT), "UTF-8|corrupt|pax")


def test_folders_that_only_names_tell_of_count(tmp_path: Path) -> None:
    """A member of 1.5 kB made five hundred folders, 2 MB on the disk: some megabytes used up a disk's inodes."""
    deep = [member(f"{number}/" + "a/" * 250 + "b") for number in range(4)]
    refused(write_tar(tmp_path / "tar", *deep), "more than 1000 files and folders", max_members=1000)
    fine = tmp_path / "fine"
    fine.mkdir()
    assert unpack(write_tar(fine / "tar", *deep[:2]), fine / "out", limit_bytes=10**6) == 2 * 252
