"""Ask for verdicts without importing torch: a server process does the work and is kept until the judge is closed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from ..curriculum.catalog import Kata
from ..system.processes import end, environment
from .messages import Request, line_of, verdict_of
from .verdict import Verdict


class JudgeError(RuntimeError):
    """The server could not be started, or died; the message holds what it printed."""


class Judge:
    """Gives verdicts, one at a time. Use it as a context manager."""

    def __init__(self, root: Path):
        self.root = root
        self._process: subprocess.Popen[str] | None = None

    def verdict(
        self, kata: Kata, solved: frozenset[str] = frozenset(), path: Path | None = None, diagnose: bool = True
    ) -> Verdict:
        """Judge the file of a kata, or the one at `path`. Raises JudgeError."""
        self.ask(kata, solved, path, diagnose)
        return self.answer()

    def ask(
        self, kata: Kata, solved: frozenset[str] = frozenset(), path: Path | None = None, diagnose: bool = True
    ) -> None:
        """Ask for a verdict, and put an end to the one that was asked for before, where that is not there yet."""
        requests = self._start().stdin
        assert requests is not None
        request = Request(str(kata.root), kata.slug, sorted(solved), str(path) if path else None, diagnose)
        with contextlib.suppress(BrokenPipeError):  # `answer` says what became of the process
            requests.write(line_of(request))
            requests.flush()

    def answer(self) -> Verdict:
        """Wait for the answer to the earliest question that has none. Raises JudgeError."""
        process = self._process
        if process is None:
            raise JudgeError("The judge went away.")
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        if not line:
            errors = process.stderr.read().strip().splitlines() or ["it said nothing."]
            self.close()
            raise JudgeError(f"The judge could not start or went away: {errors[-1]}")
        return verdict_of(line)

    def close(self) -> None:
        """End the server."""
        process, self._process = self._process, None
        if process is not None:
            end(process, seconds=5)  # it may be getting ready for a next request that will not come

    def _start(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died since the last verdict
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dojo.judge.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=environment(OMP_NUM_THREADS="1"),
                cwd=self.root,
                start_new_session=True,  # an interrupt is for whoever asks, who then closes this
            )
        return self._process

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
