"""Files that artifacts have alike are packed once, and are one file again where the bundle is unpacked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from edgefn.bundle import archive, layers, references
from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import BundleError

WEIGHTS = bytes(range(256)) * 400


def artifacts(folder: Path, second: bytes = WEIGHTS) -> list[tuple[ArtifactEntry, Path]]:
    """Two artifacts of a model, the second with other settings beside weights of its own, or the same."""
    found = []
    for number, weights in enumerate((WEIGHTS, second)):
        files = folder / f"files-{number}"
        files.mkdir(parents=True)
        (files / "model.onnx").write_bytes(weights)
        (files / "settings.json").write_text(str(number))
        found.append((ArtifactEntry("net", f"profile/int8@engine{number}", "engine"), files))
    return found


def packed(folder: Path, second: bytes = WEIGHTS) -> list[layers.PackedLayer]:
    """Their layers."""
    made = artifacts(folder, second)
    shared = references.found((entry.path, files) for entry, files in made)
    return [layers.artifact(one, files, folder / f"{n}.tar", shared[one.path]) for n, (one, files) in enumerate(made)]


def unpacked(folder: Path, made: list[layers.PackedLayer]) -> Path:
    for layer in made:
        archive.unpack(layer.path, folder, limit_bytes=layer.descriptor.size)
    return folder


def test_what_is_alike_is_packed_once_and_is_one_file_again(tmp_path: Path) -> None:
    """The second layer is small; unpacked, both artifacts have all their files, and the weights are one inode."""
    made = packed(tmp_path)
    assert made[0].descriptor.size > len(WEIGHTS)
    assert made[1].descriptor.size < len(WEIGHTS) // 4
    bundle = unpacked(tmp_path / "bundle", made)
    references.resolve(bundle)
    one, other = sorted(bundle.glob("artifacts/net/*/model.onnx"))
    assert other.read_bytes() == WEIGHTS
    assert one.stat().st_ino == other.stat().st_ino
    assert [path.read_text() for path in sorted(bundle.glob("artifacts/net/*/settings.json"))] == ["0", "1"]


def test_a_layer_depends_on_what_it_refers_to(tmp_path: Path) -> None:
    """Other weights in both: the second layer has another digest, so nothing made of the old ones is taken for it."""
    digests = []
    for number, weights in enumerate((WEIGHTS, WEIGHTS[::-1])):
        made = artifacts(tmp_path / str(number), weights)
        (made[0][1] / "model.onnx").write_bytes(weights)
        shared = references.found((entry.path, files) for entry, files in made)
        entry, files = made[1]
        layer = layers.artifact(entry, files, tmp_path / f"{number}.tar", shared[entry.path])
        digests.append(layer.descriptor.digest)
    assert digests[0] != digests[1]


def test_weights_of_their_own_are_packed(tmp_path: Path) -> None:
    """Nothing refers to what is not the same."""
    made = packed(tmp_path, WEIGHTS[::-1])
    assert made[1].descriptor.size > len(WEIGHTS)
    bundle = unpacked(tmp_path / "bundle", made)
    assert not list(bundle.rglob(references.FILE))


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ('{"model.onnx": {"path": "../outside", "sha256": ""}}', r"'\.\.'"),
        ('{"model.onnx": {"path": "code/secret", "sha256": ""}}', "not a file of the bundle's artifacts"),
        ('{"../../x": {"path": "artifacts/net/a/model.onnx", "sha256": ""}}', r"'\.\.'"),
        ('{"other": {"path": "artifacts/net/a/model.onnx", "sha256": "00"}}', "where another file lies"),
        ("[]", "is damaged"),
    ],
)
def test_a_hostile_reference_is_refused(reference: str, complaint: str, tmp_path: Path) -> None:
    """It leaves neither the artifacts nor its folder, and what it refers to must be what was packed."""
    for name, content in {"code/secret": "s", "artifacts/net/a/model.onnx": "w"}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    listed = tmp_path / "artifacts/net/b" / references.FILE
    listed.parent.mkdir(parents=True)
    listed.write_text(reference)
    with pytest.raises(BundleError, match=complaint):
        references.resolve(tmp_path)


def test_links_and_their_folders_are_counted(tmp_path: Path) -> None:
    """A list of a megabyte made millions of folders."""
    for name, content in {"artifacts/net/a/model.onnx": "w", f"artifacts/net/b/{references.FILE}": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    known = {"path": "artifacts/net/a/model.onnx", "sha256": hashlib.sha256(b"w").hexdigest()}
    listed = {f"{number}/" + "a/" * 250 + "b": known for number in range(10)}
    (tmp_path / "artifacts/net/b" / references.FILE).write_text(json.dumps(listed))
    with pytest.raises(BundleError, match="more than 1000 files and folders"):
        references.resolve(tmp_path, 1000)
    assert len(list(tmp_path.rglob("*"))) < 1000 + 2 * 252
