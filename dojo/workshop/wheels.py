"""The wheels that a machine without a network needs: of every package, for other systems and Pythons than this one's.

`pip download` looks at the markers of requirements (`; sys_platform == "win32"`) as this machine is and not as the one
it downloads for: asked for Windows on Linux it brings what torch needs for CUDA there. So what a package requires is
read from its wheel here, and pip only fetches. Versions are those of constraints.txt.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from functools import cached_property
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
GLIBC = 28  # of 2.28, which torch asks for
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # elsewhere torch for Linux is the one for CUDA
EDITABLE = "editables"  # what hatchling needs to install a clone, beside what it says
GIVE_UP = 3  # wheels that do not come, and none that does
SECONDS = 1800  # that pip may take for the wheels of a target


class Unreachable(Exception):
    """Nothing can be downloaded; the message says why."""


@dataclass(frozen=True)
class Missing:
    """A wheel that cannot be had."""

    why: str  # which, for what, and why not


@dataclass(frozen=True)
class Platform:
    """A system that learners have."""

    name: str  # as one asks for it
    title: str
    markers: dict[str, str]
    tags: tuple[str, ...]  # of wheels that run there
    cpu: str = ""  # what torch's version ends with where it is not for CUDA


def _linux(name: str, title: str, machine: str) -> Platform:
    old = ("manylinux2014", "manylinux2010", "manylinux1") if machine == "x86_64" else ("manylinux2014",)
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)] + [f"{each}_{machine}" for each in old]
    markers = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine}
    return Platform(name, title, markers, tuple(tags), "+cpu")


def _macos(name: str, title: str, machine: str) -> Platform:
    markers = {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": machine}
    return Platform(name, title, markers, tuple(mac_platforms((14, 0), machine)))


WINDOWS = {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"}
PLATFORMS = {
    platform.name: platform
    for platform in (
        _linux("linux", "Linux", "x86_64"),
        _linux("linux-arm", "Linux on ARM", "aarch64"),
        _macos("macos-arm", "macOS 14 or newer on Apple silicon", "arm64"),
        _macos("macos-intel", "macOS on Intel", "x86_64"),
        Platform("windows", "Windows", WINDOWS, ("win_amd64",)),
    )
}


@dataclass(frozen=True)
class Target:
    """A system with a Python on it."""

    platform: Platform
    python: str  # 3.12
    cuda: bool = False  # whether torch may be the one for CUDA

    def __str__(self) -> str:
        return f"{self.platform.title}, Python {self.python}"

    @cached_property
    def tags(self) -> frozenset[Tag]:
        """The tags of wheels that can be installed there."""
        major, minor = map(int, self.python.split("."))
        interpreter = f"cp{major}{minor}"
        own = cpython_tags((major, minor), platforms=self.platform.tags)
        return frozenset([*own, *compatible_tags((major, minor), interpreter, self.platform.tags)])

    def wants(self, marker: Marker | None, extras: Iterable[str] = ()) -> bool:
        """Whether a requirement with this marker is one there."""
        python = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        cpython = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
        here = self.platform.markers | python | cpython | {"platform_release": "", "platform_version": ""}
        return marker is None or any(marker.evaluate(here | {"extra": extra}) for extra in ("", *extras))


Download = Callable[[list[str], Target, Path], str]  # fetches requirements into a folder; what went wrong, or nothing


def asked_for(root: Path) -> list[Requirement]:
    """What a clone asks for: to run, to lead a room, and to be installed."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    run, room = project["project"]["dependencies"], project["project"]["optional-dependencies"]["room"]
    return [Requirement(text) for text in (*run, *room, *project["build-system"]["requires"], EDITABLE)]


def pins(root: Path, target: Target) -> dict[str, str]:
    """The version of each package in constraints.txt, for a target."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(each.name): str(each.specifier) for each in wanted if target.wants(each.marker)}


class Gathering:
    """Brings all that a target needs into a folder."""

    def __init__(self, root: Path, target: Target, folder: Path, download: Download):
        self.target, self.folder, self.download = target, folder, download
        self.asked, self.versions = asked_for(root), pins(root, target)
        self.wheels: dict[str, Path] = {}  # by the name of the package
        self.missing: dict[str, Missing] = {}

    def __call__(self) -> Iterator[Missing]:
        """What cannot be had, as soon as that is known."""
        waiting = [each for each in self.asked if self.target.wants(each.marker)]
        seen: set[tuple[str, str]] = set()
        while waiting:
            yield from self._fetch(waiting)
            required = []
            for requirement in waiting:
                name = canonicalize_name(requirement.name)
                for extra in ("", *requirement.extras) if name in self.wheels else ():
                    if (name, extra) not in seen:
                        seen.add((name, extra))
                        required += _required(self.wheels[name], self.target, extra)
            waiting = required

    def _fetch(self, waiting: list[Requirement]) -> Iterator[Missing]:
        """Have a wheel of each: all that are not there at once or, where that fails, one by one to know which.

        Raises Unreachable where none of several comes.
        """
        wanted = {name: self._exact(name, each) for each in waiting if (name := canonicalize_name(each.name))}
        wanted = {name: exact for name, exact in wanted.items() if name not in {*self.wheels, *self.missing}}
        absent = {name: exact for name, exact in wanted.items() if self._find(exact) is None}
        failed = absent and self.download([str(exact) for exact in absent.values()], self.target, self.folder)
        for name, exact in wanted.items():
            why = self.download([str(exact)], self.target, self.folder) if failed and name in absent else ""
            if wheel := self._find(exact):
                self.wheels[name] = wheel
            else:
                why = why or "what came is another one"
                self.missing[name] = Missing(f"{exact} cannot be had for {self.target}: {why}.{_advice(exact)}")
                yield self.missing[name]
                if len(self.missing) == GIVE_UP and not self.wheels:
                    raise Unreachable(why)

    def _exact(self, name: str, requirement: Requirement) -> Requirement:
        """The version of a package that is wanted."""
        version = self.versions.get(name, str(requirement.specifier))
        cpu = self.target.platform.cpu if name == "torch" and not self.target.cuda else ""
        return Requirement(f"{name}{version}{cpu}")

    def _find(self, exact: Requirement) -> Path | None:
        """The wheel that is in the folder and can be installed by the target."""
        for path in sorted(self.folder.glob("*.whl"), reverse=True):
            name, version, _, tags = parse_wheel_filename(path.name)
            if name == exact.name and exact.specifier.contains(version, prereleases=True) and tags & self.target.tags:
                return path
        return None


def by_pip(requirements: list[str], target: Target, folder: Path) -> str:
    """Have pip fetch requirements, and nothing that they require; what went wrong, in its words."""
    platforms = [word for tag in target.platform.tags for word in ("--platform", tag)]
    index = ["--extra-index-url", CPU_INDEX] if any("+cpu" in each for each in requirements) else []
    command = [
        *(
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--retries=1",
        ),
        *("--only-binary=:all:", "--dest", str(folder), "--implementation", "cp", "--python-version", target.python),
        *(*platforms, *index, *requirements),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"pip took longer than {SECONDS} seconds"
    errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    telling = [line for line in errors if line.startswith("No matching")] or errors or [done.stderr.strip()[-200:]]
    return "" if done.returncode == 0 else telling[0].rstrip(".") or "pip failed"


def _advice(exact: Requirement) -> str:
    if "+cpu" not in str(exact):
        return ""
    return f" For Linux it comes from {CPU_INDEX}; CUDA=1 takes the one for CUDA, which is five times as large."


def _required(wheel: Path, target: Target, extra: str) -> list[Requirement]:
    """What the package in a wheel requires; with an extra, what that adds."""
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        metadata = BytesParser().parsebytes(archive.read(path), headersonly=True)
    required = [Requirement(text) for text in metadata.get_all("Requires-Dist") or []]
    return [each for each in required if target.wants(each.marker, [extra] if extra else [])]
