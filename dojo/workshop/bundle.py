"""The bundle: a folder for a stick or a share from which a machine without a network is set up. Nothing loads torch."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from ..curriculum import stubs
from ..curriculum.catalog import Catalog
from ..gpt.download import fetch
from ..system.data_files import DataError, Source, fault_at, locate, sources
from ..system.files import timestamp, write_whole
from ..system.git import Git, UpdateError
from .wheels import Download, Gathering, Target, Unreachable, by_pip

HERE = Path(__file__).parent
CLONE, WHEELS, DATA = "gpt-katas", "wheels", "data"
CONTENTS = "bundle.json"  # what is in it, for the script that sets up
Say = Callable[[str], None]


class BundleError(Exception):
    """There is no bundle. The message says why and what to do."""


@dataclass
class Bundle:
    """A bundle that is being made; made again in the same folder, it fetches only what is new."""

    root: Path
    folder: Path
    say: Say  # is called with a line at a time
    lacking: list[str] = field(default_factory=list)  # what cannot be had

    def make(
        self, targets: list[Target], data: list[str] | None, weights: list[str], download: Download = by_pip
    ) -> None:
        """Make it, with all texts where `data` names none. Raises BundleError."""
        self._check()
        listed = self._listed(data, weights)
        try:
            (self.folder / WHEELS).mkdir(parents=True, exist_ok=True)
            (self.folder / CONTENTS).unlink(missing_ok=True)  # it is not whole as yet
            self._clone()
            for source in listed:
                self._add(source)
            complete = [target for target in targets if self._gather(target, download)]
            self._write(complete)
        except OSError as error:
            raise BundleError(f"{self.folder} cannot be written: {error}. The bundle is not whole.") from error

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def _check(self) -> None:
        if not ((self.root / ".git").exists() and (self.root / "pyproject.toml").is_file()):
            raise BundleError(f"A bundle is made from a clone of the repository, and {self.root} is none.")
        if self.root == self.folder or self.folder in self.root.parents:
            raise BundleError(f"{self.folder} holds this clone. Name a folder of its own.")
        if self.folder.exists() and not self.folder.is_dir():
            raise BundleError(f"{self.folder} is a file. Name a folder.")
        inside = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        if inside and not {CLONE, WHEELS} & inside and not inside <= {"System Volume Information", ".Trashes"}:
            raise BundleError(f"{self.folder} holds other things: {min(inside)}. Name an empty folder, or a new one.")

    def _listed(self, data: list[str] | None, weights: list[str]) -> list[Source]:
        texts = sources()
        if unknown := [name for name in data or [] if name not in texts]:
            raise BundleError(f"There is no text {unknown[0]}. There are: {', '.join(texts)}.")
        listed = [source for name, source in texts.items() if data is None or name in data]
        for name in weights:
            files = list(sources(weights=name).values())
            if not files:
                raise BundleError(f"There are no weights {name}; data/sources.toml lists those that there are.")
            listed += files
        return listed

    def _clone(self) -> None:
        """The repository as it is committed, with stubs and without what the leader did."""
        target, git = self.folder / CLONE, Git(self.root)
        try:
            if changed := git.lines("diff", "--name-only", "HEAD"):
                more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
                self.say(f"What is not committed is not in it: {changed[0]}{more}")
            if target.exists():
                shutil.rmtree(target, onerror=_writable)
            git("clone", "--quiet", "--no-hardlinks", "--no-local", str(self.root), str(target))
            clone = Git(target)
            clone("remote", "set-url", "origin", self._origin(git))
            clone("config", "core.fileMode", "false")  # a stick does not keep who may run a file
        except UpdateError as error:
            raise BundleError(str(error)) from error
        for kata in Catalog(target).katas:
            if stubs.read(kata.file) != stubs.stub_of(kata):
                stubs.write(kata)
        self.say(f"{CLONE}: the katas, version {git('rev-parse', '--short', 'HEAD')}")

    def _origin(self, git: Git) -> str:
        """Where updates come from: where this clone's do, unless that is a folder of this machine."""
        done = git.run("remote", "get-url", "origin")
        own = done.stdout.decode().strip() if done.returncode == 0 else ""
        if re.match(r"(https?|ssh)://|[\w.-]+@[\w.-]+:", own):
            return own
        project = (self.root / "pyproject.toml").read_text(encoding="utf-8")
        return re.search(r'^Repository = "(.+?)"', project, re.MULTILINE)[1]  # type: ignore[index]

    def _add(self, source: Source) -> None:
        folder = self.folder / DATA
        folder.mkdir(exist_ok=True)
        try:
            if fault_at(folder / source.name, source) is not None:
                try:
                    shutil.copyfile(locate(source), folder / source.name)
                except DataError:
                    fetch(source, folder)
            self.say(f"{source.name}: {source.size:,} bytes, checked")
        except DataError as error:
            self._lack(str(error))

    def _gather(self, target: Target, download: Download) -> bool:
        """Bring the wheels of a target; whether all are there."""
        gathering = Gathering(self.root, target, self.folder / WHEELS, download)
        try:
            for missing in gathering():
                self._lack(missing.why)
        except Unreachable as error:
            raise BundleError(f"No wheel can be downloaded ({error}). A bundle is made with a network.") from error
        if gathering.missing:
            return False
        size = sum(wheel.stat().st_size for wheel in gathering.wheels.values())
        self.say(f"{target}: {len(gathering.wheels)} wheels, {size / 1e6:,.0f} MB")
        return True

    def _lack(self, why: str) -> None:
        self.lacking.append(why)
        self.say(f"MISSING {why}")

    def _write(self, complete: list[Target]) -> None:
        """What a learner sees, and the scripts that they start."""
        served: dict[str, list[str]] = {}
        for target in complete:
            served.setdefault(target.platform.name, []).append(target.python)
        titles = {target.platform.name: target.platform.title for target in complete}
        pythons = sorted({target.python for target in complete}, key=lambda text: -int(text.split(".")[1]))
        pages = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, keep_trailing_newline=True)
        facts = {"served": served, "titles": titles, "pythons": pythons, "made": timestamp()[:10]}
        for name, text in _rendered(pages, facts):
            write_whole(self.folder / name, text)
        shutil.copyfile(HERE / "start.py", self.folder / "start.py")
        os.chmod(self.folder / "start.sh", 0o755)
        write_whole(self.folder / CONTENTS, json.dumps({"made": timestamp(), "served": served}, indent=2) + "\n")


def _rendered(pages: Environment, facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("START-HERE.html", "start.sh", "start.bat"):
        text = pages.get_template(f"{name}.jinja").render(facts)
        yield name, text.replace("\n", "\r\n") if name.endswith(".bat") else text
    yield "Makefile", ".PHONY: start\nstart:\n\t@sh start.sh\n"


def _writable(remove: Callable[[str], Any], path: str, reason: object) -> None:
    """Delete what is read-only, as git's objects are, which Windows refuses."""
    os.chmod(path, stat.S_IWRITE)
    remove(path)
