"""How a verb is called here, so that a command works as it is printed: `make test KATA=5` where one came by `make`,
`python -m dojo test 5` where one came that way, `!python -m dojo test 5` in a notebook. Nothing here imports torch."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

DOOR = "DOJO_DOOR"  # in the environment: what stands before a verb; set by the Makefile and by whoever is called first
POSITIONAL = {"KATA", "FILE", "FOLDER", "SUBMISSIONS", "TO"}
FLAGS = {"RESUME", "RECORD", "QUICK", "NEW", "COMPILE", "CUDA"}


def command(verb: str = "", **options: object) -> str:
    """The command to type for a verb; options are called as `make` has them, and an empty one is left out."""
    before = door()
    if before.startswith("!") and verb == "test":
        return f"%%kata {options['KATA']}" if "KATA" in options else "%%kata"
    given = {name: _quoted("1" if value is True else str(value)) for name, value in options.items() if value}
    if before == "make":
        words = [f"{name}={value.replace('$', '$$')}" for name, value in given.items()]
    else:
        words = [word for name, value in given.items() for word in _words(verb, name, value)]
    return " ".join(filter(None, [before, verb, *words]))


def remember_door() -> None:
    """Have this process, and those that it starts, print commands as this one was called."""
    os.environ.setdefault(DOOR, _as_called())


def door() -> str:
    """What stands before a verb; where no verb was called, as in the test panel of an editor, what serves there."""
    return os.environ.get(DOOR) or ("make" if shutil.which("make") else f"{python()} -m dojo")


def python() -> str:
    """How this very Python is called from here: by its bare name where that finds it, else by its path."""
    this = os.path.normcase(sys.executable)
    for name in ("python", "python3"):
        if os.path.normcase(shutil.which(name) or "") == this:
            return name
    return _from_here(Path(sys.executable))


def _as_called() -> str:
    program = Path(sys.argv[0])
    if program.stem != "dojo":
        return f"{python()} -m dojo"
    found = Path(shutil.which("dojo") or ".")
    return "dojo" if found.parent / found.stem == program.parent / program.stem else _from_here(program)


def _words(verb: str, name: str, value: str) -> list[str]:
    if name in POSITIONAL or (verb, name) == ("train", "PRESET"):
        return [value]
    return [f"--{name.lower()}"] if name in FLAGS else [f"--{name.lower()}", value]


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return _quoted(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _quoted(text: str) -> str:
    if sys.platform == "win32":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
