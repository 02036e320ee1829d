"""A function's requirements become a pinned tree of wheels for the box, or an error that says what to change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from edgefn.bundle.archive import pack
from edgefn.bundle.config import Wheel
from edgefn.bundle.packages import wheels
from edgefn.bundle.packages.provided import clashes, provided_here
from edgefn.bundle.sources import tree_files
from edgefn.errors import BuildError, BundleError, SpecError
from tests.edgefn.bundle.wheelwright import make_wheel

PROVIDED = {"numpy": "2.4.6", "pillow": "13.0.0"}
X86, ARM = "manylinux_2_28_x86_64", "manylinux_2_28_aarch64"

Resolve = Callable[..., tuple[Wheel, ...]]


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip takes wheels from, and the only one: there is no network."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def resolve(tmp_path: Path, links: Path) -> Resolve:
    """Resolves a requirements.txt of the given text into `tmp_path`/site."""

    def run(text: str, *, python: str = "3.11", platform: str = X86, site: str = "site") -> tuple[Wheel, ...]:
        (tmp_path / "requirements.txt").write_text(text)
        return wheels.resolve(tmp_path / "requirements.txt", python, platform, tmp_path / site, provided=PROVIDED)

    return run


def test_what_is_needed_is_pinned_and_laid_out(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """A requirement and what it needs are there, pinned by hash; what the box provides is not."""
    file = make_wheel(links, "vision", requires=["numpy>=2", "pillow", "helper>=1; python_version>='3'"])
    make_wheel(links, "helper", "3.0")
    pins = resolve("vision  # sees\n")
    assert [(pin.name, pin.version) for pin in pins] == [("helper", "3.0"), ("vision", "1.0")]
    assert pins[1].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert pins[1].requires == ("numpy>=2", "pillow")
    assert [name for name, _ in tree_files(tmp_path / "site")] == [
        "helper-3.0.dist-info/METADATA",
        "helper-3.0.dist-info/WHEEL",
        "helper.py",
        "vision-1.0.dist-info/METADATA",
        "vision-1.0.dist-info/WHEEL",
        "vision.py",
    ]


def test_the_tree_is_the_same_each_time(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """Two resolutions pack to one digest."""
    make_wheel(links, "vision", files={"pkg/data.bin": "1"})
    assert resolve("vision", site="one") == resolve("vision", site="two")
    assert pack(tree_files(tmp_path / "one"), tmp_path / "a") == pack(tree_files(tmp_path / "two"), tmp_path / "b")


def test_only_site_packages(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """purelib and platlib of a wheel's .data go to the top; scripts, headers and compiled Python stay out."""
    data = "vision-1.0.data"
    names = [f"{data}/{part}" for part in ("purelib/a/x.py", "platlib/b/y.py", "scripts/run", "headers/h.h", "data/d")]
    make_wheel(links, "vision", files=dict.fromkeys([*names, "pkg/__pycache__/x.pyc", "z.pyc"], ""))
    resolve("vision")
    names = [name for name, _ in tree_files(tmp_path / "site") if "dist-info" not in name]
    assert names == ["a/x.py", "b/y.py", "vision.py"]


def test_compiled_wheels_of_the_boxs_platform(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """The wheel for the box's machine and glibc is taken, whatever machine builds; older glibc tags fit too."""
    for machine in ("x86_64", "aarch64"):
        make_wheel(links, "fast", tag=f"cp311-cp311-manylinux_2_17_{machine}", files={f"{machine}.so": ""})
    make_wheel(links, "old", tag="cp311-abi3-manylinux2014_aarch64")
    resolve("fast\nold", platform=ARM)
    assert (tmp_path / "site" / "aarch64.so").exists()
    assert wheels.needs(tmp_path / "site", "3.11", ARM) == ("3.11", ARM)
    with pytest.raises(BuildError, match=r"no wheel of old for Python 3.11 on manylinux_2_28_x86_64"):
        resolve("fast\nold")


def test_what_a_tree_ties_the_bundle_to(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """Pure wheels tie a bundle to a Python and no platform; no wheels to neither."""
    make_wheel(links, "pure")
    resolve("pure")
    assert wheels.needs(tmp_path / "site", "3.11", X86) == ("3.11", "any")
    assert wheels.needs(tmp_path / "missing", "3.11", X86) == ("", "any")


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "numpy\n", "NumPy>=2 # there\npillow>=10,\\\n  <14\n"])
def test_nothing_to_add(tmp_path: Path, resolve: Resolve, text: str) -> None:
    """An empty file, and one that asks only for what the box has, add nothing and ask no index."""
    assert resolve(text) == ()
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("helper\nnumpy<2", r"requirements.txt:2: 'numpy<2' .* provides numpy 2.4.6.* widen the range, or remove"),
        ("pillow[xmp]", r"requirements.txt:1: .*requires extras.* pillow 13.0.0"),
        ("numpy @ https://example.org/numpy.whl", "requires one file"),
        ("numpy==2.4.6 --hash=sha256:00", "requires one file"),
        ("legacy", r"legacy 1.0 depends on numpy<2; the box itself provides numpy 2.4.6: require versions"),
        ("helper==9", r"no wheel of helper==9 for Python 3.11 on manylinux_2_28_x86_64 \(there are 1.0\)"),
        ("trains", r"trains 1.0 depends on torch>=2, but torch never goes to a box"),
        ("git+https://example.org/x", r"requirements.txt:1: .* is a source package, but a function takes only wheels"),
        ("x @ git+https://example.org/x", "is a source package"),
        ("-e .", "is a source package"),
        ("&&&", r"pip failed: Invalid requirement: '&&&'"),
        ("one\ntwo", r"two-1.0.* an earlier wheel hold different files shared.py"),
        ("broken", r"broken-1.0-py3-none-any.whl"),
    ],
)
def test_clashes_at_the_build(links: Path, resolve: Resolve, text: str, match: str) -> None:
    """What cannot be put on the box fails the build, in one line: the requirement, what is there, what to change."""
    make_wheel(links, "helper")
    make_wheel(links, "legacy", requires=["numpy<2"])
    make_wheel(links, "trains", requires=["torch>=2"])
    make_wheel(links, "torch", "2.9")
    make_wheel(links, "one", files={"shared.py": "1"})
    make_wheel(links, "two", files={"shared.py": "2"})
    (links / "broken-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(BuildError, match=match) as caught:
        resolve(text)
    assert "\n" not in str(caught.value)


def test_torch_is_refused_by_name_beside_a_constraint_of_the_machine(
    tmp_path: Path, links: Path, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pip.conf or PIP_CONSTRAINT that caps torch does not make the message another one."""
    (tmp_path / "cap.txt").write_text("torch<=3\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "cap.txt"))
    make_wheel(links, "trains", requires=["torch>=2"])
    make_wheel(links, "torch", "2.9")
    with pytest.raises(BuildError, match=r"trains 1.0 depends on torch>=2, but torch never goes to a box"):
        resolve("trains")


def test_a_version_that_goes_with_the_box_is_chosen(links: Path, resolve: Resolve) -> None:
    """The box's versions constrain the resolution: an older release that takes them beats a newer that does not."""
    make_wheel(links, "vision", "1.0", requires=["numpy"])
    make_wheel(links, "vision", "2.0", requires=["numpy>=3"])
    (pin,) = resolve("vision")
    assert pin.version == "1.0"


def test_markers_are_the_boxs(links: Path, resolve: Resolve) -> None:
    """pip evaluates markers for its own Python; what would then be missing on the box is an error, not a surprise."""
    make_wheel(links, "vision", requires=["backport; python_version>='3.14'"])
    assert [pin.name for pin in resolve("vision")] == ["vision"]
    with pytest.raises(BuildError, match=r"needs backport.* Python 3.14.* found nothing"):
        resolve("vision", python="3.14")
    with pytest.raises(BuildError, match=r"needs arm.* found nothing"):
        resolve("vision\narm; platform_machine=='aarch64'", platform=ARM)


def test_names_in_a_wheel_that_leave(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """A wheel whose members would land outside the tree is refused."""
    make_wheel(links, "evil", files={"../../evil.py": ""})
    with pytest.raises(BuildError, match=r"evil-1.0.* is damaged"):
        resolve("evil")
    make_wheel(links, "worse", files={"worse-1.0.data/purelib/../../../evil.py": ""})
    with pytest.raises(BuildError, match=r"worse-1.0.* is damaged"):
        resolve("worse")
    assert not list(tmp_path.rglob("evil.py"))


def test_requirements_that_do_not_read(tmp_path: Path, resolve: Resolve) -> None:
    """A missing file, one that is not text, and a Python or platform that is none, are errors."""
    with pytest.raises(SpecError, match="platform is 'linux'"):
        resolve("x", platform="linux")
    with pytest.raises(SpecError, match=r"python is '3\.9'"):
        resolve("x", python="3.9")
    with pytest.raises(BuildError, match="cannot read"):
        wheels.resolve(tmp_path / "missing.txt", "3.11", X86, tmp_path / "site")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BuildError, match="cannot read"):
        wheels.resolve(tmp_path / "binary.txt", "3.11", X86, tmp_path / "site")


def test_nested_requirements(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """`-r` and paths are taken as pip takes them, from the file's own folder."""
    make_wheel(links, "helper")
    make_wheel(tmp_path / "vendored", "mine")
    (tmp_path / "more.txt").write_text("helper\n")
    pins = resolve("-r more.txt\n./vendored/mine-1.0-py3-none-any.whl\n")
    assert [pin.name for pin in pins] == ["helper", "mine"]


def test_the_functions_own_modules_do_not_disturb_pip(tmp_path: Path, links: Path, resolve: Resolve) -> None:
    """A json.py beside requirements.txt is the function's, and not what pip imports."""
    make_wheel(links, "helper")
    (tmp_path / "json.py").write_text("raise SystemExit('not the json that pip wanted')")
    assert [pin.name for pin in resolve("helper")] == ["helper"]


def test_what_the_box_provides_is_what_is_installed() -> None:
    """By default the versions here stand for the box's."""
    here = provided_here()
    assert {"edgefn", "msgspec", "numpy", "pillow", "python-multipart"} <= set(here)
    assert "torch" not in here


def test_clashes_at_the_box() -> None:
    """A box that provides other versions than the wheels need learns which, before it installs them."""
    pins = (Wheel("vision", "1.0", "0" * 64, ("numpy<3,>=2", "pillow")), Wheel("pure", "1.0", "0" * 64))
    assert clashes(pins, PROVIDED) == []
    old, none = clashes(pins, {"numpy": "1.26.4"})
    assert (old["artifact"], old["needs"], old["has"]) == ("wheels/vision-1.0", "numpy<3,>=2", "numpy 1.26.4")
    assert (none["needs"], none["has"]) == ("pillow", "no pillow")
    assert "requirements.txt" in old["fix"]
    with pytest.raises(BundleError, match="is not a valid requirement"):
        clashes([Wheel("x", "1", "0" * 64, ("!!",))], PROVIDED)


def test_a_prerelease_on_the_box_counts() -> None:
    """A box with a release candidate meets a need that its final release would meet by range."""
    assert clashes([Wheel("x", "1", "0" * 64, ("numpy>=2",))], {"numpy": "2.5.0rc1"}) == []
