"""What is accepted as a bundle's manifest and config, and what is refused and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry, Wheel
from edgefn.bundle.documents import MAX_DOCUMENT_BYTES, encode
from edgefn.bundle.oci.manifest import agree, compose, parse_config, parse_manifest
from edgefn.errors import BundleError
from edgefn.spec import FunctionSpec, ModelSpec
from tests.edgefn.bundle.bundles import config, packed

Change = Callable[[Any], object]


@pytest.fixture
def documents(tmp_path: Path) -> tuple[Any, Any]:
    """A good manifest and config as plain JSON values."""
    manifest, config_bytes = compose(config(), [layer.descriptor for layer in packed(tmp_path / "sources")])
    return json.loads(manifest), json.loads(config_bytes)


def test_a_bundle_reads_back(documents: tuple[Any, Any]) -> None:
    """What was composed is read as it was meant, each blob once."""
    manifest, read = parse_manifest(json.dumps(documents[0]).encode()), parse_config(json.dumps(documents[1]).encode())
    agree(manifest, read)
    assert read == config()
    assert [layer.folder for layer in manifest.layers] == ["code", "artifacts/net/portable-fp32", "golden"]
    assert [(layer.model, layer.target) for layer in manifest.layers][1] == ("net", "portable/fp32")
    assert len(manifest.blobs()) == 4


def test_members_of_others_are_ignored(documents: tuple[Any, Any]) -> None:
    """A manifest may have members and annotations that we do not know: the specification says to pass over them."""
    manifest = documents[0] | {"subject": {"digest": "sha256:0"}, "annotations": {"org.example": "1"}}
    manifest["layers"][0]["urls"] = ["https://example.org"]
    assert parse_manifest(json.dumps(manifest).encode()).layers


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: m.update(schemaVersion=1), "version 1"),
        (lambda m: m.update(mediaType="application/vnd.docker.distribution.manifest.v2+json"), "docker"),
        (lambda m: m.pop("mediaType"), "untyped"),
        (lambda m: m.update(artifactType="application/vnd.example"), "artifactType"),
        (lambda m: m.pop("artifactType"), "artifactType"),
        (lambda m: m.pop("config"), "missing required field `config`"),
        (lambda m: m["config"].update(mediaType="application/vnd.oci.image.config.v1+json"), "config has media type"),
        (lambda m: m["config"].update(size=MAX_DOCUMENT_BYTES + 1), "over the limit"),
        (lambda m: m["config"].update(digest="md5:1"), "digest"),
        (lambda m: m["layers"][0].update(digest="sha256:../../../etc/passwd"), "digest"),
        (lambda m: m["layers"][0].update(digest=m["layers"][0]["digest"].upper()), "digest"),
        (lambda m: m["layers"][0].update(size=-1), "size of -1"),
        (lambda m: m["layers"][0].update(size="1"), r"Expected `int`.*layers"),
        (lambda m: m["layers"][0].update(mediaType="application/vnd.oci.image.layer.v1.tar"), "media type"),
        (lambda m: m["layers"][1].update(digest=m["layers"][0]["digest"], size=1), "the impossible size"),
        (lambda m: m["layers"].append(m["layers"][0]), "two layers hold code/"),
        (lambda m: m["layers"][1].update(annotations={}), "names model ''"),
        (lambda m: m["layers"][1]["annotations"].update({"dev.edgefn.model": "../../code"}), "names model"),
        (lambda m: m["layers"][1]["annotations"].update({"dev.edgefn.target": "../up"}), "names target"),
        (lambda m: m.update(layers={}), "Expected `array`"),
    ],
)
def test_manifests_that_are_refused(documents: tuple[Any, Any], change: Change, match: str) -> None:
    """Anything that is not an edgefn bundle's manifest is refused, and the message names what is wrong."""
    change(documents[0])
    with pytest.raises(BundleError, match=match):
        parse_manifest(json.dumps(documents[0]).encode())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c.update(schema_version=2), "schema_version 2, but this edgefn supports 1: update edgefn"),
        (lambda c: c.update(schema_version=0), "build the bundle again"),
        (lambda c: c.pop("schema_version"), "schema_version"),
        (lambda c: c.update(gpu=True), "unknown field `gpu`"),
        (lambda c: c["function"].update(memmory_bytes=1), "unknown field `memmory_bytes`"),
        (lambda c: c["function"].update(name="../etc"), "function's name"),
        (lambda c: c["function"].update(entry="os"), "not module:attribute"),
        (lambda c: c["function"].update(entry="../x:y"), "not module:attribute"),
        (lambda c: c["function"].update(scale=[4, 1]), "out of order"),
        (lambda c: c["function"].update(scale=[0, 0]), "out of order"),
        (lambda c: c["function"].update(timeout_s=0), "zero"),
        (lambda c: c["function"].update(queue=-1), "negative"),
        (lambda c: c["function"].update(memory_bytes="256MiB"), "Expected `int`"),
        (lambda c: c["models"][0]["spec"].update(name="a/b"), "invalid name"),
        (lambda c: c["models"].append(c["models"][0]), "model 'net' more than once"),
        (lambda c: c["models"][0].update(golden=-1), "golden samples"),
        (lambda c: c["artifacts"][0].update(target="portable/../../x"), "names target"),
        (lambda c: c["artifacts"][0].update(needs={"cpu": "any"}), "unknown field `cpu`"),
        (lambda c: c["artifacts"][0].update(needs={"features": "avx2"}), "Expected `array`"),
        (lambda c: c["artifacts"][0].update(model="other"), "which the config lacks"),
        (lambda c: c["artifacts"].append(c["artifacts"][0]), "more than once"),
        (lambda c: c.update(artifacts=[]), "no artifact for any target"),
        (lambda c: c.update(wheels=[{"name": "x", "version": "1", "sha256": "1"}]), "sha256 of wheel 'x'"),
    ],
)
def test_configs_that_are_refused(documents: tuple[Any, Any], change: Change, match: str) -> None:
    """What a box could not honour, or would write outside the bundle's folder, is refused before it is used."""
    change(documents[1])
    with pytest.raises(BundleError, match=match):
        parse_config(json.dumps(documents[1]).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": "\xff"}', b"[" * 10**5])
@pytest.mark.parametrize("parse", [parse_manifest, parse_config])
def test_not_json(data: bytes, parse: Callable[[bytes], object]) -> None:
    """Bytes that are no JSON object are refused, however deep they nest."""
    with pytest.raises(BundleError, match="cannot read"):
        parse(data)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes make the readers raise anything but BundleError."""
    for parse in (parse_manifest, parse_config):
        with pytest.raises(BundleError):
            parse(data)


@pytest.mark.parametrize("parse", [parse_manifest, parse_config])
def test_too_large(parse: Callable[[bytes], object]) -> None:
    """A document over 4 MiB is refused unread."""
    with pytest.raises(BundleError, match="over the limit"):
        parse(b" " * (MAX_DOCUMENT_BYTES + 1))


def test_layers_and_config_must_agree(tmp_path: Path) -> None:
    """A layer too few and a layer too many are refused, by name."""
    code, artifact, golden = (layer.descriptor for layer in packed(tmp_path / "sources"))
    with pytest.raises(BundleError, match=r"no layer holds artifacts/net/portable-fp32/"):
        compose(config(), [code, golden])
    with pytest.raises(BundleError, match=r"no layer holds code/"):
        compose(config(), [artifact, golden])
    plain = BundleConfig(FunctionSpec("echo", "echo:echo"))
    with pytest.raises(BundleError, match="a layer holds golden/, which the config of echo does not name"):
        compose(plain, [code, golden])
    wheels = msgspec.structs.replace(plain, wheels=(Wheel("x", "1", "0" * 64),))
    with pytest.raises(BundleError, match="no layer holds wheels/"):
        compose(wheels, [code])


def test_order_of_making_does_not_matter(tmp_path: Path) -> None:
    """Models, artifacts, wheels, layers and toolchains in any order give the same bytes."""
    models = tuple(ModelEntry(ModelSpec(name, {})) for name in "ab")
    artifacts = tuple(ArtifactEntry(n, "portable/fp32", "onnxruntime", {"x": "1", "y": "2"}) for n in "ab")
    backwards = tuple(ArtifactEntry(n, "portable/fp32", "onnxruntime", {"y": "2", "x": "1"}) for n in "ba")
    wheels = tuple(Wheel(name, "1", "0" * 64) for name in "ab")
    function = FunctionSpec("f", "f:f")
    one = BundleConfig(function, models, artifacts, wheels)
    other = BundleConfig(function, models[::-1], backwards, wheels[::-1])
    code = packed(tmp_path / "sources")[0].descriptor
    layers = [code]
    for kind, model in (("artifact", "a"), ("artifact", "b"), ("wheels", "")):
        names = {"dev.edgefn.model": model, "dev.edgefn.target": "portable/fp32"} if model else {}
        media_type = f"application/vnd.edgefn.{kind}.v1.tar"
        layers.append(msgspec.structs.replace(code, media_type=media_type, annotations=names))
    assert compose(one, layers) == compose(other, layers[::-1])
    assert encode(one) != encode(other)
