"""The text of a learner's file, read and compiled, with a plain message for each way in which that fails."""

from __future__ import annotations

import functools
from pathlib import Path
from types import CodeType

from ..system.command import command
from ..system.files import content_of


class LoadError(Exception):
    """A learner's file that cannot be read or compiled. `line` is where, or None."""

    def __init__(self, message: str, line: int | None = None):
        super().__init__(message)
        self.line = line


def read_source(path: Path) -> str:
    """A file's text, read as bytes. Raises LoadError."""
    try:
        data = content_of(path)
    except FileNotFoundError:
        raise LoadError(f"Your file is gone. `{command('reset', KATA=path.stem)}` brings the stub back.") from None
    except OSError as error:
        raise LoadError(f"Your file cannot be read: {error.strerror or error}.") from None
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise LoadError("Your file holds null bytes: it seems to be saved only in part.", line)
    if not data.strip():
        raise LoadError(f"Your file is empty. `{command('reset', KATA=path.stem)}` brings the stub back.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LoadError("Your file is not UTF-8 text. Save it in the encoding UTF-8.", line) from None


@functools.lru_cache(maxsize=512)  # a bank of mistakes is compiled again for each failure that it may explain
def compile_source(source: str, filename: str) -> CodeType:
    """Compile a text. Raises LoadError for a syntax error, with its line."""
    try:
        return compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise LoadError(f"Python cannot read your file: {error.msg}.", error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadError(f"Python cannot read your file: {error}.") from None
