"""What is checked in is what was meant: nothing of one machine, nothing fetched that is not pinned and hashed.

Law 1: no file names a package registry's host or a path of somebody's machine; both are the reader's to choose.
Law 2: what is installed is the version and the content that was tested: npm and pip by hash, Rust by Cargo.lock.
Law 3: one version, spelled in pyproject.toml, Cargo.toml and the change log alike.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.meta.tree import ROOT, complain, files, name_of, text_of

# Joined here, so that this file passes its own check.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("crates", "io"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("maven", "org"),
        ("deb", "debian", "org"),
    )
)
# Cargo writes this name of its default registry into every Cargo.lock; it is an index, not a host.
CARGO_INDEX = "-index"
HOSTS = re.compile(rf"\b(?:{'|'.join(map(re.escape, REGISTRY_HOSTS))})\b(?!{CARGO_INDEX})")
MACHINE_PATH = re.compile(r"(?<![\w.~/$}-])" + "/" + r"(?:root|work|tmp/\w+)(?=/|\b)")


def foreign_words(name: str, text: str) -> list[str]:
    """A complaint for each line that names a registry's host or a machine's path."""
    return [
        f"{name}:{number}: names {found.group()}"
        for number, line in enumerate(text.splitlines(), 1)
        for pattern in (HOSTS, MACHINE_PATH)
        for found in pattern.finditer(line)
    ]


def unpinned_npm(lock: Mapping[str, Any]) -> list[str]:
    """A complaint for each package of a package-lock.json that has an address, or has no hash."""
    complaints = []
    for name, package in lock["packages"].items():
        if "resolved" in package:
            complaints.append(f"{name}: has a download address; lock with omit-lockfile-registry-resolved=true")
        if name and "integrity" not in package:
            complaints.append(f"{name}: has no integrity hash")
    return complaints


def pins_of(text: str) -> tuple[dict[str, Version], list[str]]:
    """The versions that a requirements file pins, and a complaint for whatever in it is not a hashed pin."""
    pins: dict[str, Version] = {}
    complaints = []
    entries = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE))
    for entry in filter(None, map(str.strip, entries.splitlines())):
        pin = re.fullmatch(r"([\w.-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})*)(?: ;.*)?", entry)
        if pin is None:
            complaints.append(f"'{entry}' is not a pin")
        elif not pin[3]:
            complaints.append(f"'{entry}' has no hash")
        else:
            pins[_normal(pin[1])] = Version(pin[2])
    return pins, complaints


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def unmet(wanted: list[str], pins: Mapping[str, Version]) -> list[str]:
    """A complaint for each requirement that no pin meets."""
    complaints = []
    for requirement in map(Requirement, wanted):
        pin = pins.get(_normal(requirement.name))
        if pin is None or pin not in requirement.specifier:
            complaints.append(f"{requirement}: pinned as {pin}; run `make lock`")
    return complaints


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def test_no_file_names_a_registry_or_a_machine() -> None:
    complain(
        [
            complaint
            for path in files()
            if (text := text_of(path)) is not None
            for complaint in foreign_words(name_of(path), text)
        ]
    )


@pytest.mark.parametrize("place", [".", "conformance/workers/oracle"])
def test_npm_packages_are_locked_by_hash_and_without_addresses(place: str) -> None:
    lock = json.loads((ROOT / place / "package-lock.json").read_text(encoding="utf-8"))
    assert len(lock["packages"]) > 1
    complain(unpinned_npm(lock))


@pytest.mark.parametrize("extra", ["dev", "bench"])
def test_python_packages_are_pinned_by_hash_and_as_the_project_asks(extra: str) -> None:
    pins, complaints = pins_of((ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8"))
    project = _project()
    complain(complaints + unmet([*project["dependencies"], *project["optional-dependencies"][extra]], pins))


def test_every_requirements_file_is_pinned_by_hash() -> None:
    locks = [path for path in files(".txt", under="requirements") if path.name != "debian.txt"]
    assert len(locks) >= 3
    complain([f"{name_of(path)}: {one}" for path in locks for one in pins_of(path.read_text(encoding="utf-8"))[1]])


def test_the_requirements_agree_on_what_they_share() -> None:
    dev, bench = (
        pins_of((ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8"))[0] for extra in ("dev", "bench")
    )
    complain(
        [f"{name}: {dev[name]} and {bench[name]}" for name in dev.keys() & bench.keys() if dev[name] != bench[name]]
    )


def test_the_version_is_the_same_everywhere() -> None:
    version = _project()["version"]
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert cargo["workspace"]["package"]["version"] == version
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE), (
        f"CHANGELOG.md has no entry for {version}"
    )


@pytest.mark.parametrize(
    "line",
    [
        f"pip install --index-url https://{REGISTRY_HOSTS[0]}/simple",
        f'"resolved": "https://registry.{REGISTRY_HOSTS[3]}/ws"',
        f"source = 'https://{REGISTRY_HOSTS[2]}'",
        "cd " + "/" + "root/holdfast",
        "see " + "/" + "work/main",
        "open('/" + "tmp/x.sock')",
    ],
)
def test_a_registry_or_a_machine_path_is_a_complaint(line: str) -> None:
    assert len(foreign_words("a", line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        f'source = "registry+https://github.com/rust-lang/{REGISTRY_HOSTS[2]}{CARGO_INDEX}"',
        "GET /chat/root HTTP/1.1",
        "native/work/x",
        "/home/me, as an example does",
        "make a directory with mktemp -d",
        "$HOME/.local/share/holdfast",
    ],
)
def test_what_only_looks_like_one_is_not(line: str) -> None:
    assert foreign_words("a", line) == []


def test_an_npm_package_with_an_address_or_without_a_hash_is_a_complaint() -> None:
    packages = {"": {}, "node_modules/a": {"integrity": "sha512-x", "resolved": "https://..."}, "node_modules/b": {}}
    assert len(unpinned_npm({"packages": packages})) == 2


@pytest.mark.parametrize(
    "text", ["ws>=1\n", "ws==1.0\n", "--index-url https://example.com\nws==1 --hash=sha256:" + "0" * 64]
)
def test_a_requirement_without_pin_or_hash_is_a_complaint(text: str) -> None:
    assert len(pins_of(text)[1]) == 1


def test_a_pin_that_does_not_meet_the_project_is_a_complaint() -> None:
    pins, complaints = pins_of("# why\nA_b==1.5 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via c\n")
    assert (pins, complaints) == ({"a-b": Version("1.5")}, [])
    assert unmet(["a.b>=1.5"], pins) == []
    assert len(unmet(["a-b>=2", "c"], pins)) == 2
