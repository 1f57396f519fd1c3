"""Make a learner's stub from a solution: what stands between the markers becomes a step to write."""

from __future__ import annotations

import hashlib
import re
import shutil
from datetime import datetime
from pathlib import Path

from ..system.files import content_of
from .catalog import Kata

OPEN = re.compile(r"^(\s*)# <solution step=(\d+)>\s*$")
CLOSE = re.compile(r"^\s*# </solution>\s*$")
SEAL = re.compile(r"^# Stub ([0-9a-f]{8})\b.*\n", re.MULTILINE)


class StubError(ValueError):
    """The markers of a solution do not pair up; the message gives the file and the line."""


def make_stub(solution: str, source: str = "the solution", solved: int = 0) -> str:
    """The stub of a solution's text, with the steps up to `solved` left in.

    Its last line is a seal, from which an untouched stub is known. Raises StubError.
    """
    lines: list[str] = []
    opened: tuple[str, str, int] | None = None
    count = 0
    for number, line in enumerate(solution.splitlines(), 1):
        if start := OPEN.match(line):
            if opened:
                raise StubError(f"{source}, line {number}: a marker opens inside another, opened on line {opened[2]}")
            opened, count = (start.group(1), start.group(2), number), 0
        elif CLOSE.match(line):
            if not opened:
                raise StubError(f"{source}, line {number}: a marker closes that was not opened")
            indent, step, _ = opened
            opened = None
            if int(step) <= solved:
                continue
            lines.append(f"{indent}# Step {step}: about {count} line{'s' if count > 1 else ''}.")
            lines.append(f'{indent}raise NotImplementedError("step {step}")')
        elif opened and int(opened[1]) > solved:
            count += bool(line.strip())
        else:
            lines.append(line)
    if opened:
        raise StubError(f"{source}, line {opened[2]}: a marker opens that is never closed")
    body = "\n".join(lines) + "\n"
    return body + f"\n\n# Stub {_digest(body)}. `make reset` brings it back; you may delete this line.\n"


def steps(solution: str) -> list[int]:
    """The steps that the markers of a solution name, in order and once each."""
    return sorted({int(marker.group(2)) for line in solution.splitlines() if (marker := OPEN.match(line))})


def stub_of(kata: Kata) -> str:
    """The stub that belongs to a kata's solution as it now stands."""
    source = kata.solution.relative_to(kata.root).as_posix()
    return make_stub(content_of(kata.solution).decode("utf-8").replace("\r\n", "\n"), source)


def plain(kata: Kata) -> str:
    """The text of a solution, without the markers."""
    return unmarked(kata.solution.read_text(encoding="utf-8"))


def unmarked(text: str) -> str:
    """A text without the markers."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not (OPEN.match(line) or CLOSE.match(line)))


def write(kata: Kata) -> None:
    """Write a kata's stub, over whatever stands there."""
    kata.file.parent.mkdir(parents=True, exist_ok=True)
    kata.file.write_text(stub_of(kata), encoding="utf-8", newline="\n")  # as in git, also on Windows


def back_up(kata: Kata) -> Path:
    """Keep a copy of the file of a kata in `.dojo/backups`, and return where. Raises OSError."""
    folder = kata.root / ".dojo" / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kata.slug}-{datetime.now():%Y%m%d-%H%M%S-%f}.py"
    shutil.copyfile(kata.file, path)
    return path


def untouched(text: str) -> bool:
    """Whether a file is a stub, of today's solution or an older one, in which nobody has written yet."""
    seal = SEAL.search(text)
    return seal is not None and seal.group(1) == _digest(text[: seal.start()].removesuffix("\n\n"))


def begun(kata: Kata, path: Path, step: int) -> bool:
    """Whether fewer parts of a step are still to write in a learner's file than in the stub."""
    mark = f'NotImplementedError("step {step}")'
    return (read(path) or "").count(mark) < stub_of(kata).count(mark)


def outdated(kata: Kata) -> bool:
    """Whether the tree holds an untouched stub that is not the one of today's solution, or none at all."""
    text = read(kata.file)
    return text is None or (untouched(text) and text != stub_of(kata))


def read(path: Path) -> str | None:
    """A file's text, or None where there is none or it is not text."""
    try:
        return path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        return None


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:8]
