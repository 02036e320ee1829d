"""A machine runs a target's artifact or has one reason not to, with what would help."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from edgefn import extras
from edgefn.errors import BundleError
from edgefn.targets.matcher import OTHERS, MachineFacts, TargetRefusal, meets, refusal, unfit
from edgefn.targets.needs import Needs
from edgefn.targets.probe import Probe
from edgefn.targets.profiles import needs_of, target, targets

FLAGS = ["asimd", "asimddp", "fphp", "fp"]
HERE = MachineFacts("aarch64", "A76", frozenset(FLAGS), {"npu-lite": "2.1.0"}, frozenset({"/dev/npu0"}))
NEEDS = Needs("aarch64", ("asimd", "asimddp"), "the NPU", "/dev/npu0", "npu-lite", ">=2,<3")


def ready(_: str) -> Probe:
    return Probe(True)


def told(needs: Needs, here: MachineFacts) -> TargetRefusal:
    found = refusal("m board/int8", needs, here, "npu", ready)
    assert found is not None
    assert found.artifact == "m board/int8"
    return found


def test_what_has_all_is_taken() -> None:
    """CPU, features, device, library and version."""
    assert refusal("m board/int8", NEEDS, HERE, "npu", ready) is None
    assert refusal("m board/int8", Needs(), MachineFacts("riscv64")) is None


def test_another_cpu() -> None:
    """The machine's own name is told, and no library is asked to be installed on it."""
    found = told(NEEDS, msgspec.structs.replace(HERE, arch="x86_64", libraries={}))
    assert (found.needs, found.has) == ("a CPU of aarch64", "x86_64")
    assert "edgefn box info" in found.fix


def test_missing_features_are_named() -> None:
    """Those that are missing, all of them, and no other."""
    found = told(NEEDS, msgspec.structs.replace(HERE, features=frozenset({"asimd"})))
    assert (found.needs, found.has) == ("the CPU features asimddp", "a CPU without them (A76)")


def test_avx2_without_vnni_is_not_v4() -> None:
    """A CPU of v4 without VNNI is refused what was made for VNNI: there int8 saturates."""
    v4 = needs_of(target("x86-64-v4/int8"))
    here = MachineFacts("x86_64", "Xeon", frozenset(v4.features) - {"avx512_vnni"}, {"onnxruntime": "1.30"})
    assert told(v4, here).needs == "the CPU features avx512_vnni"
    assert refusal("v3", needs_of(target("x86-64-v3/int8")), here) is None


def test_no_device() -> None:
    """The accelerator and the node that its driver makes."""
    found = told(NEEDS, msgspec.structs.replace(HERE, devices=frozenset({"/dev/null"})))
    assert (found.needs, found.has) == ("the NPU at /dev/npu0", "no /dev/npu0")
    assert "driver" in found.fix


@pytest.mark.parametrize(
    ("library", "fix"),
    [
        ("MNN", extras.command("mnn")),
        ("openvino", extras.command("openvino")),
        ("torch", extras.hint("torch")),
        ("npu-lite", OTHERS),
    ],
)
def test_no_library(library: str, fix: str) -> None:
    """The fix is a command where an extra of edgefn installs it, and never one that a bundle has written."""
    needs = msgspec.structs.replace(NEEDS, library=library)
    found = told(needs, msgspec.structs.replace(HERE, libraries={}))
    assert (found.needs, found.has, found.fix) == (f"{library}>=2,<3", f"no {library}", fix)


@pytest.mark.parametrize("version", ["1.9", "3.0", "4.0.dev1", "not a version"])
def test_another_version(version: str) -> None:
    """A library of another version is refused with the version that is there."""
    found = told(NEEDS, msgspec.structs.replace(HERE, libraries={"npu-lite": version}))
    assert (found.needs, found.has) == ("npu-lite>=2,<3", f"npu-lite {version}")
    assert found.fix == OTHERS


@pytest.mark.parametrize("version", ["2.0", "2.9.1", "2.1.0+cpu", "2.5rc1"])
def test_versions_that_will_do(version: str) -> None:
    """Local builds and release candidates too."""
    assert refusal("m", NEEDS, msgspec.structs.replace(HERE, libraries={"npu-lite": version})) is None


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts))),
    st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts))),
    st.sampled_from([">=", ">= "]),
)
def test_the_short_way_agrees_with_pep_440(version: str, least: str, operator: str) -> None:
    """The comparison that spares a starting box an import says what `packaging` says."""
    assert meets(version, operator + least) == (version in SpecifierSet(operator + least))


@pytest.mark.parametrize("versions", ["; rm -rf", ">=", ">=" + "9" * 5000, "==1.*.*"])
def test_a_specifier_that_is_none_takes_nothing(versions: str) -> None:
    """What a bundle says is not trusted to read."""
    found = told(msgspec.structs.replace(NEEDS, versions=versions), HERE)
    assert found.has == "npu-lite 2.1.0"


def test_a_backend_that_cannot() -> None:
    """Its probe's own words, and those of the registry for one of another name."""

    def unknown(name: str) -> Probe:
        raise BundleError(f"no backend {name!r}: install it")

    found = refusal("m", NEEDS, HERE, "npu", lambda _: Probe(False, has="npu 1", fix="pip install npu"))
    assert found == TargetRefusal("m", "the backend 'npu'", "npu 1", "pip install npu")
    found = refusal("m", NEEDS, HERE, "npu", unknown)
    assert found == TargetRefusal("m", "the backend 'npu'", "none of that name", "no backend 'npu': install it")
    bare = refusal("m", Needs(arch="riscv64"), HERE, "npu", unknown)
    assert bare is not None
    assert bare.needs == "a CPU of riscv64"  # the backend of another CPU's artifact is not looked for


needs = st.builds(
    Needs,
    arch=st.sampled_from(["", "aarch64", "x86_64"]),
    features=st.lists(st.sampled_from(FLAGS), unique=True).map(tuple),
    device=st.sampled_from(["", "/dev/npu0", "/dev/npu1"]),
    library=st.sampled_from(["", "npu-lite", "other"]),
    versions=st.sampled_from(["", ">=2", "<2", "nonsense"]),
)
facts = st.builds(
    MachineFacts,
    arch=st.sampled_from(["aarch64", "x86_64"]),
    features=st.frozensets(st.sampled_from(FLAGS)),
    libraries=st.dictionaries(st.sampled_from(["npu-lite", "other"]), st.sampled_from(["1.0", "2.0", "x"])),
    devices=st.frozensets(st.sampled_from(["/dev/npu0", "/dev/npu1"])),
)


@settings(deadline=None)
@given(needs, facts)
def test_more_hardware_is_never_refused_more(needs: Needs, here: MachineFacts) -> None:
    """What suffices goes on to suffice when features and devices are added; a refusal always says what would help."""
    more = msgspec.structs.replace(
        here, features=here.features | set(FLAGS), devices=here.devices | {"/dev/npu0", "/dev/npu1"}
    )
    found, later = refusal("m", needs, here), refusal("m", needs, more)
    assert found is not None or later is None
    assert later is None or later.needs.startswith(("a CPU of", needs.library or "-"))
    for one in filter(None, (found, later)):
        assert one.needs
        assert one.has
        assert one.fix
        assert str(one).startswith("m needs ")
    assert unfit(needs, here) is None or found is not None


def test_every_target_has_needs() -> None:
    """Each shipped target asks for a library, and each but portable for a CPU."""
    for name, one in targets().items():
        asked = needs_of(one)
        assert asked.library
        assert bool(asked.arch) == (one.profile != "portable"), name
