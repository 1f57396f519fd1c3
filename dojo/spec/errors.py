"""What ends a check besides a claim that does not hold. Nothing here imports torch or Hypothesis."""

from __future__ import annotations

import re
from types import TracebackType


class Stop(BaseException):
    """Ends a search for examples at once; not an Exception, so that no learner's `except` swallows it."""


class Refused(Stop):
    """The learner's code did what this kata does not allow: called a banned function, read the solutions."""


class Missing(Stop):
    """The learner's file does not define a name of the contract."""


class TimeUp(Stop):
    """The learner's code used up its time."""


def unwritten_step(error: BaseException, filename: str | None) -> int:
    """The step that a stub says is not started, or 0: only its own `NotImplementedError("step N")` says so.

    torch raises the same type for a module without `forward`, which is a mistake and not a stub.
    """
    message = re.fullmatch(r"step (\d+)", str(error))
    if not isinstance(error, NotImplementedError) or message is None or filename is None:
        return 0
    frame: TracebackType | None = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None or frame.tb_frame.f_code.co_filename != filename:
        return 0
    return int(message.group(1))
