"""Workers side by side, and the submissions that each is asked about. No torch here.

However a submission ends, it has one result: a worker that dies at one is replaced, and the submission is asked about
once more, since it may have been another's fault.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..judge.verdict import Verdict
from ..judge.worker import CLOCK
from ..system.processes import end, lines_of
from .sandbox import FOLDER, Sandbox, environment

GIVEN_UP = CLOCK + 60  # seconds after which a worker that does not answer is replaced
SHARED = 6  # submissions of a kata that are left, from which on a second worker gets ready for it


@dataclass(frozen=True)
class Job:
    """A file to be judged as a kata's."""

    slug: str
    source: bytes


class Lane:
    """A worker in its sandbox, started when it is needed."""

    def __init__(self, root: Path, sandbox: Sandbox):
        self.root, self.sandbox = root, sandbox
        self.slug = ""  # of the kata that it is ready for
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def ask(self, job: Job) -> Verdict:
        """The verdict on a file. Whatever happens, there is one."""
        for _ in range(2):
            self.slug = job.slug
            verdict = self._answer(job)
            if verdict is None or not self.sandbox.serves:
                self.close()
            if verdict is not None:
                return verdict
        message = "The judge's process ended, or gave no answer, each time it was asked about this file."
        return Verdict(job.slug.split("_")[0], "error", message=message)

    def _answer(self, job: Job) -> Verdict | None:
        try:
            process = self._started()
            assert process.stdin is not None
            process.stdin.write(json.dumps({"slug": job.slug, "source": job.source.decode("latin-1")}) + "\n")
            process.stdin.flush()
            return Verdict.from_dict(json.loads(self._lines.get(timeout=GIVEN_UP)))
        except (OSError, ValueError, KeyError, TypeError, queue.Empty):
            return None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            apart = ["apart"] if self.sandbox.kind == "bubblewrap" else []
            command = self.sandbox.command(self.root, "-m", "dojo.grading.worker", str(self.root), *apart)
            variables = environment(self.root)
            if self.sandbox.kind == "none":
                self._folder = tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True)
                variables = {name: self._folder.name if value == FOLDER else value for name, value in variables.items()}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env=variables,
                cwd="/",
                start_new_session=True,
            )
            self._lines = lines_of(self._process.stdout)
        return self._process

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            end(self._process)
        if self._folder is not None:
            self._folder.cleanup()
        self._process, self._folder = None, None


def judge_all(
    jobs: Iterable[Job], root: Path, sandbox: Sandbox, lanes: int = 0, done: Callable[[], object] = lambda: None
) -> Mapping[Job, Verdict]:
    """The verdict on each job, by as many workers as there are processors; `done` is called after each."""
    waiting: dict[str, list[Job]] = {}
    for job in dict.fromkeys(jobs):
        waiting.setdefault(job.slug, []).append(job)
    verdicts: dict[Job, Verdict] = {}
    lock = threading.Lock()

    def work() -> None:
        lane = Lane(root, sandbox)
        try:
            while True:
                with lock:
                    job = _next(waiting, lane.slug, busy)
                    if job is None:
                        return
                verdict = lane.ask(job)
                with lock:
                    verdicts[job] = verdict
                    done()
        finally:
            lane.close()

    busy: set[str] = set()
    count = min(lanes or os.cpu_count() or 1, sum(map(len, waiting.values())))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


def _next(waiting: Mapping[str, list[Job]], slug: str, busy: set[str]) -> Job | None:
    """The next job for a worker: of the kata it is ready for, else of one that no other has, else of the longest.

    A kata that a worker has begun with it keeps to until no job of it is left, so none is left behind.
    """
    rest = {each: len(jobs) for each, jobs in waiting.items() if jobs}
    untouched = [each for each in rest if each not in busy]
    longest = max(rest, key=lambda each: rest[each], default="")
    if slug not in rest:
        slug = untouched[0] if untouched else longest if rest.get(longest, 0) >= SHARED or not busy else ""
    busy.add(slug)
    return waiting[slug].pop(0) if slug else None
