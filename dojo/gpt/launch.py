"""Start torchrun: on this machine, and the commands that start it on several."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..system.command import python
from ..system.processes import environment, on_signals

RESTARTS = 3  # of all processes, from the last checkpoint, where one is killed
PROGRAM = ["-m", "dojo"]  # what each process runs
PORT = 29500  # torch's own
# How a process says that another one has gone. That one is what to speak of, if it left a word.
GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out", "NCCL")


class LaunchError(Exception):
    """Processes that cannot be started so; the message says why."""


@dataclass(frozen=True)
class Ended:
    """How processes ended: whether they were asked to stop, and what the first of them that failed said."""

    asked: bool
    problem: str


def launch(count: int, words: list[str]) -> Ended:
    """Run a verb in `count` processes, and wait.

    They share the cores. An interrupt is theirs to answer, and torchrun hands it on. What it says of processes that
    ended is kept from the reader, and so is what they say on standard error.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // count))
    with tempfile.TemporaryDirectory() as folder:
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        kept = [f"--max-restarts={RESTARTS}", "--redirects=2", f"--log-dir={folder}"]
        command = [sys.executable, *torchrun, *kept, *PROGRAM, "--", *words]  # else it takes options for its own
        asked: list[int] = []
        stop = on_signals(("SIGINT", "SIGTERM"), lambda number, frame: asked.append(number))
        with (Path(folder) / "torchrun").open("w+", encoding="utf-8", errors="replace") as said:
            with stop, subprocess.Popen(command, env=environment(OMP_NUM_THREADS=threads), stderr=said) as process:
                problem = _wait(process, Path(folder), asked)
            said.seek(0)
            lines = [line.strip() for line in said if "Error: " in line]
    if process.returncode and not (problem or asked) and lines:
        problem = lines[-1]
    return Ended(bool(asked), problem)


def _wait(process: subprocess.Popen[Any], folder: Path, asked: list[int]) -> str:
    """Wait for torchrun; where code raises, what it raised, which starting all of it again does not mend."""
    problem = ""
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        if asked and asked[-1]:
            process.send_signal(asked[-1])  # one that `kill` sent has come to this process alone
            asked.append(0)
        if not problem and (problem := first_error(folder)):
            process.terminate()
    return problem or first_error(folder)


def first_error(folder: Path) -> str:
    """What the first process raised that failed by itself, by the files that torch's `record` wrote."""
    raised: list[tuple[int, str]] = []
    for path in folder.rglob("error.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # half written
            error = json.loads(path.read_text(encoding="utf-8"))["message"]
            raised.append((int(error["extraInfo"]["timestamp"]), str(error["message"])))
    raised = [(when, what) for when, what in raised if not any(gone in what for gone in GONE)]
    return min(raised)[1].strip().split("\n")[0] if raised else ""


def commands(nodes: int, count: int, at: str, words: list[str]) -> list[str]:
    """The command for each of `nodes` machines, `count` processes on each; the first is found `at` host:port.

    Raises LaunchError for a port that is in use.
    """
    host, _, given = at.partition(":")
    host = host or socket.gethostname()
    if given and not given.isdigit():
        raise LaunchError(f"{at} is no address. AT is host:port, as the other machines reach the first.")
    ports = [int(given)] if given else range(PORT, PORT + 100)
    port = next((port for port in ports if _is_free(host, port)), 0)
    if not port:
        raise LaunchError(f"Port {given or PORT} of {host} is in use. Name another: AT={host}:{int(given or PORT) + 1}")
    shared = f"--nnodes={nodes} --nproc-per-node={count} --master-addr={host} --master-port={port}"
    verb = shlex.join(words)
    return [
        f"{python()} -m torch.distributed.run {shared} --node-rank={node} --max-restarts={RESTARTS} -m dojo -- {verb}"
        for node in range(nodes)
    ]


def _is_free(host: str, port: int) -> bool:
    """Whether a port can be listened on here; that of another machine counts as free."""
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except OSError:  # the address is not this machine's
            return True
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
