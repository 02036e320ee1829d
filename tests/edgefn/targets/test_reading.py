"""A profile's file says what hardware is, and nothing that is not known; what is wrong is told with its place."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from edgefn.errors import SpecError
from edgefn.targets.features import FEATURES
from edgefn.targets.profile import PRECISIONS, Accelerator, Power, Processor, Profile, ProfileMemory, Runtime
from edgefn.targets.profiles import profiles, runtime_of, target, targets
from edgefn.targets.reading import VERSIONS, read

ACCELERATORS = sorted((Path(__file__).parent / "accelerators").glob("*.toml"))

WHOLE = """\
description = "a board"
[cpu]
arch = "aarch64"
features = ["asimd", "asimddp"]
[accelerator]
name = "NPU"
kind = "npu"
device = "/dev/npu0"
[tops]
int8 = 6.0
[[runtimes]]
backend = "onnxruntime"
precisions = ["fp32"]
[[runtimes]]
backend = "npu"
precisions = ["int8"]
library = "npu-lite"
versions = ">=2, <3"
opset = [7, 19]
[sources]
"tops.int8" = "the manual, page 1"
"""


def write(folder: Path, text: str, name: str = "board") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", ACCELERATORS, ids=lambda path: path.stem)
def test_the_format_holds_accelerators(path: Path, tmp_path: Path) -> None:
    """RK3588, Jetson, Atlas 500, Kria, RB5 and MLU220 are profiles; each has a target for each precision."""
    profile = read(path)
    assert profile.accelerator is not None
    assert profile.accelerator.device.startswith("/dev/")
    write(tmp_path, path.read_text(), path.stem)
    own = [one for one in targets(tmp_path).values() if one.profile == path.stem]
    wanted = {(one.backend, precision) for one in profile.runtimes for precision in one.precisions}
    assert {(one.backend, one.precision) for one in own} == wanted
    for one in own:
        assert target(str(one), folder=tmp_path) == one
        assert runtime_of(one, tmp_path) in profile.runtimes


def test_the_samples_are_all_that_the_format_is_for() -> None:
    """No sample got lost, and none of them is shipped."""
    names = {path.stem for path in ACCELERATORS}
    assert names == {"rk3588", "jetson-orin", "atlas-500", "kria-k26", "rb5", "mlu220"}
    assert not names & profiles().keys()


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('description = "a board"', "", "'description' is missing"),
        ("description", "descripton", r""":1: 'descripton' is unknown; did you mean "description"\?"""),
        ("[cpu]", "[cpus]", r':2: \[cpus\] is unknown; did you mean "cpu"'),
        ("arch =", "arhc =", r""":3: 'arhc' is unknown in \[cpu\]; did you mean "arch"\?"""),
        ('"aarch64"', '"arm64"', r""":3: 'arm64' in 'arch' of \[cpu\] is not known; did you mean "aarch64"\?"""),
        ('"asimddp"', '"asimdp"', r""":4: 'asimdp' in 'features' of \[cpu\] is not known; did you mean "asim"""),
        ('arch = "aarch64"\n', "", r":3: 'features' needs 'arch'"),
        ('kind = "npu"', 'kind = "tpu"', r":7: 'kind' in \[accelerator\]: Invalid enum value 'tpu'"),
        ('name = "NPU"\n', "", r":5: 'name' is missing in \[accelerator\]"),
        ('"/dev/npu0"', '"npu0"', r":8: 'device' is 'npu0'"),
        ('"/dev/npu0"', '"/dev/../etc/passwd"', r":8: 'device' is"),
        ("int8 = 6.0", "int9 = 6.0", r""":10: 'int9' in \[tops\] is not known; did you mean "int8"\?"""),
        ("int8 = 6.0", "int8 = true", r":10: 'int8' in \[tops\] is True"),
        ("int8 = 6.0", "int8 = 0", r":10: 'tops.int8' is 0.0: leave it out"),
        ("int8 = 6.0", "int8 = inf", r":10: 'tops.int8' is inf"),
        ('"tops.int8" = "the manual, page 1"', "", r""":10: 'tops.int8' has no source: add "tops.int8" ="""),
        ('"tops.int8" =', '"tops.int" =', r"""'tops.int' in \[sources\] is not known; did you mean "tops.int8"\?"""),
        ('"tops.int8" =', "tops.int8 =", r"""'tops' in \[sources\] is .*: write "tops"""),
        ('precisions = ["int8"]', 'precisions = ["int9"]', r":16: 'int9' in 'precisions' of"),
        ('precisions = ["int8"]', "precisions = []", r":16: 'precisions' is empty"),
        ('precisions = ["int8"]', 'precsions = ["int8"]', r""":16: 'precsions' is unknown in \[\[runtimes\]\]; did"""),
        ('backend = "npu"\nprecisions = ["int8"]', 'backend = "onnxruntime"\nprecisions = ["fp32"]', ":16: .* two"),
        ('backend = "npu"', 'backend = "NPU!"', r":15: 'backend' is 'NPU!'"),
        ('">=2, <3"', '"2 or 3"', r":18: 'versions' is '2 or 3'"),
        ('">=2, <3"', '"~=2"', r":18: 'versions' is '~=2'"),
        ('">=2, <3"', '">=2.*"', r":18: 'versions' is '>=2.\*'"),
        ('library = "npu-lite"\n', "", r":17: 'versions' needs 'library'"),
        ("[7, 19]", "[19, 7]", r":19: 'opset' is \[19, 7\]"),
        ("[7, 19]", "[19]", r":19: 'opset' is \[19\]"),
        ("opset =", 'verified = "yes"\nopset =', r":19: 'verified' in \[\[runtimes\]\]: Invalid enum value 'yes'"),
        ("[tops]", "[tops", "cannot read .*board.toml"),
    ],
)
def test_what_cannot_be_honoured(tmp_path: Path, old: str, new: str, match: str) -> None:
    """An unknown word, a figure without a source, an impossible value: an error with file, line and nearest word."""
    assert old in WHOLE
    read(write(tmp_path, WHOLE))
    with pytest.raises(SpecError, match=match) as caught:
        read(write(tmp_path, WHOLE.replace(old, new, 1)))
    assert str(tmp_path / "board.toml") in str(caught.value)


@pytest.mark.parametrize("name", ["Board", "my board", ".hidden", "a" * 64, "x@y"])
def test_a_profiles_name_is_a_folders_name(tmp_path: Path, name: str) -> None:
    """A name becomes a folder in bundles, so it is one in lower case."""
    with pytest.raises(SpecError, match="not a profile name"):
        read(write(tmp_path, WHOLE, name))


def test_a_project_adds_profiles(tmp_path: Path) -> None:
    """Those of its folder are targets beside edgefn's; a folder that is not there adds none."""
    assert profiles(tmp_path / "targets") == profiles()
    write(tmp_path, WHOLE)
    assert set(targets(tmp_path)) - set(targets()) == {"board/fp32", "board/int8"}
    write(tmp_path, WHOLE.replace("int8", "fp16"))
    assert set(targets(tmp_path)) - set(targets()) == {"board/fp32", "board/fp16"}  # an edit counts at once


@pytest.mark.parametrize("name", ["portable", "x86-64-v3"])
def test_a_project_cannot_change_a_profile(tmp_path: Path, name: str) -> None:
    """A name that edgefn has means the same hardware in every project."""
    write(tmp_path, WHOLE, name)
    with pytest.raises(SpecError, match=rf"{name}.toml: edgefn has a profile '{name}' of its own"):
        profiles(tmp_path)


def test_every_figure_of_ours_has_a_source() -> None:
    """Memory, TOPS and power of each shipped profile say where they are from, and so do its CPU's features."""
    for name, profile in profiles().items():
        assert name == "portable" or "cpu.features" in profile.sources
        assert all(len(source) > 20 for source in profile.sources.values())


def test_x86_levels_contain_one_another() -> None:
    """v2 ⊂ v3 ⊂ v4, and only v4 has VNNI: int8 saturates without it."""
    v2, v3, v4 = (set(profiles()[f"x86-64-v{level}"].cpu.features) for level in (2, 3, 4))
    assert v2 < v3 < v4
    assert {"avx512_vnni", "avx512f"} <= v4 - v3
    assert not any("vnni" in feature for feature in v3)


def test_arm_cores_tell_dot_product_apart() -> None:
    """The A76 has what the A72 has, and dot product and fp16 besides; on ARM nothing was tried natively."""
    a72, a76 = (profiles()[f"cortex-{core}"] for core in ("a72", "a76"))
    assert set(a72.cpu.features) < set(a76.cpu.features)
    assert {"asimddp", "fphp", "asimdhp"} <= set(a76.cpu.features) - set(a72.cpu.features)
    assert all(one.verified != "native" for profile in (a72, a76) for one in profile.runtimes)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["description", "cpu", "tops", "power", "memory", "runtimes", "sources", "accelerator", "x"]),
        st.recursive(
            st.one_of(st.booleans(), st.integers(-9, 9), st.floats(allow_nan=True), st.sampled_from(["", "fp32", "x"])),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2),
                st.dictionaries(st.sampled_from(["arch", "size", "int8", "backend", "precisions"]), inner, max_size=3),
            ),
            max_leaves=5,
        ),
    )
)
def test_any_file_reads_or_is_refused(tmp_path_factory: pytest.TempPathFactory, tables: dict[str, object]) -> None:
    """Whatever TOML stands in the file, reading gives a profile or a SpecError that names the file."""
    path = write(tmp_path_factory.mktemp("any"), _toml(tables))
    refused = ""
    try:
        read(path)
    except SpecError as error:
        refused = str(error)
    assert not refused or str(path) in refused


def _toml(tables: dict[str, object]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in tables.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def test_the_page_tells_every_key_and_its_example_reads(tmp_path: Path) -> None:
    """docs/edgefn-toml.md names each table and key of a profile; the example there is a profile."""
    page = (Path(__file__).parents[3] / "docs" / "edgefn-toml.md").read_text("utf-8").partition("## Profiles")[2]
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert read(write(tmp_path, example, "camera")).accelerator is not None
    rows = page.partition("| table | keys |")[2]
    for struct in (Processor, Accelerator, Runtime, ProfileMemory, Power):
        for field in msgspec.structs.fields(struct):
            assert f"`{field.encode_name}`" in rows, (struct, field.name)
    for field in msgspec.structs.fields(Profile):
        assert f"[{field.encode_name}]" in rows or f"`{field.encode_name}`" in rows
    for precision in PRECISIONS:
        assert f"`{precision}`" in rows


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.from_regex(VERSIONS, fullmatch=True))
def test_versions_that_are_taken_can_be_matched(versions: str) -> None:
    """What a profile may say is a specifier to `packaging`, which the matcher asks."""
    SpecifierSet(versions)


def test_known_features_are_flags() -> None:
    """The words of the lists are single flags, in lower case."""
    for flags in FEATURES.values():
        assert flags
        assert all(flag == flag.lower() and flag.replace("_", "").isalnum() for flag in flags)
