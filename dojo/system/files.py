"""Files: written whole or not at all, locked against other processes, told apart by their content, run as modules."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file in one step: readers see the old one or the new one, also after a power cut. Raises OSError."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the name and not the content
        os.chmod(temporary, 0o644)  # a temporary file is its owner's alone
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold off other processes that come here with the same folder; where that cannot be done, just go on."""
    from filelock import FileLock  # 40 ms, for which nobody waits who only reads

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError):  # some network folders know no locks
            stack.enter_context(FileLock(folder / ".lock", poll_interval=0.01))
        yield


_kept: dict[Path, bytes] = {}


def keep(paths: Iterable[Path]) -> None:
    """Read files that will be out of sight later: from then on `content_of` gives what they held. Raises OSError."""
    _kept.update({path: path.read_bytes() for path in paths})


def content_of(path: Path) -> bytes:
    """What a file holds, or held when it was kept. Raises OSError."""
    return _kept[path] if path in _kept else path.read_bytes()


def content_hash(path: Path) -> str | None:
    """The SHA-256 of a file's content in hexadecimal digits, or None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def timestamp(moment: datetime | None = None) -> str:
    """A moment, or this one, as it stands in the files of this project: in UTC, so that times sort as text."""
    return (moment or datetime.now()).astimezone(timezone.utc).isoformat(timespec="seconds")


def load_module(path: Path) -> ModuleType:
    """The module in a file, run anew; it stands in no package, and `import` does not know it. Raises what it raises."""
    spec = importlib.util.spec_from_file_location(f"_dojo_{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop(spec.name, None)
    return module
