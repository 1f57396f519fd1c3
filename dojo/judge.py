"""Ask for verdicts without importing torch: a warm process does the work and is kept until the judge is closed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from .catalog import Kata


class JudgeError(RuntimeError):
    """The warm process could not be started, or died; the message holds what it said."""


class Judge:
    """Gives verdicts, one at a time. Use it as a context manager."""

    def __init__(self, root: Path):
        self.root = root
        self._process: subprocess.Popen[str] | None = None

    def verdict(self, kata: Kata, solved: frozenset[str] = frozenset(), path: Path | None = None) -> dict[str, Any]:
        """Judge the file of a kata, or the one at `path`: the dictionary of `Verdict`. Raises JudgeError."""
        process = self._start()
        request = {
            "root": str(kata.root),
            "slug": kata.slug,
            "solved": sorted(solved),
            "path": str(path) if path else None,
        }
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            said = process.stderr.read().strip().splitlines()
            self.close()
            raise JudgeError("The judge could not start or went away: " + (said[-1] if said else "it said nothing."))
        return json.loads(answer)

    def close(self) -> None:
        """End the warm process."""
        if self._process is None:
            return
        self._process.terminate()  # it may be getting ready for a next request that will not come
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()
        self._process = None

    def _start(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died since the last verdict
        if self._process is None:
            home = str(Path(__file__).resolve().parent.parent)
            paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dojo.warm"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=environment,
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
