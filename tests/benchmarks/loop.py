"""How long a learner waits: `make bench-loop`.

Everything is driven through a real terminal, side by side in one run: saving a solution in the warm loop until
"Passed" is on the screen, against plain pytest started anew on the same kata. Then five hundred saves, and how much
the loop grew; and a key pressed while an endless loop is being judged.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog, Kata
from tests.dojo.terminals import Terminal
from tests.dojo.trees import copy_tree

ROUNDS = 5
READING = 3.0  # seconds that a learner reads the first verdict on a kata, while the warm process prepares for the next
SAVES = 500
KEYS = 20
MEDIAN, SLOWEST, RATIO, GROWTH, KEY = 0.35, 0.6, 6.0, 0.05, 0.05  # what is promised
console = Console()


def main() -> int:
    """Measure, print, and return 1 where a promise is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(copy_tree(Path(folder) / "clone"))
        terminal = Terminal(catalog.root, "watch", "1")
        terminal.until("quit")
        warm, cold = latencies(catalog, terminal)
        key = key_latency(catalog, terminal)
        growth, left = growth_of(catalog, terminal)
        terminal.press("q")
        terminal.ended()
    everything = sorted(second for seconds in warm.values() for second in seconds)
    median, slowest = statistics.median(everything), everything[int(0.95 * len(everything))]
    ratio = statistics.median(cold.values()) / median
    promises = {
        f"save to verdict, green: median {median:.2f} s (promised {MEDIAN})": median <= MEDIAN,
        f"95th percentile {slowest:.2f} s (promised {SLOWEST})": slowest <= SLOWEST,
        f"plain pytest, started anew, takes {ratio:.1f} times as long (promised {RATIO:g})": ratio >= RATIO,
        f"a key during an endless loop: median {1000 * key:.0f} ms (promised {1000 * KEY:.0f})": key <= KEY,
        f"memory after {SAVES} saves: {growth:+.1%} (promised {GROWTH:.0%})": growth < GROWTH,
        f"{left} children left behind (promised 0)": left == 0,
    }
    for said, kept in promises.items():
        console.print(f"{'✓' if kept else '✗'} {said}", style="green" if kept else "red")
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")
    return 0 if all(promises.values()) else 1


def latencies(catalog: Catalog, terminal: Terminal) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds from saving a solution to its verdict on the screen, and those of plain pytest, by kata."""
    warm: dict[str, list[float]] = {}
    cold: dict[str, float] = {}
    table = Table("kata", "warm, s", "slowest", "pytest, s")
    for kata in catalog.katas:
        save_and_wait(kata, terminal)
        time.sleep(READING)
        warm[kata.code] = [save_and_wait(kata, terminal) for _ in range(ROUNDS)]
        started = time.perf_counter()
        command = [sys.executable, "-m", "pytest", "-q", str(kata.tests)]
        done = subprocess.run(command, cwd=catalog.root, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        cold[kata.code] = time.perf_counter() - started
        seconds = warm[kata.code]
        table.add_row(kata.code, f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", f"{cold[kata.code]:.2f}")
    console.print(table)
    return warm, cold


def save_and_wait(kata: Kata, terminal: Terminal) -> float:
    """Save the stub, then the solution; seconds until the second verdict is on the screen."""
    kata.file.write_text(f"{stubs.stub_of(kata)}# {time.monotonic_ns()}\n", encoding="utf-8")  # another file each time
    terminal.until("is not started", "quit")
    started = time.perf_counter()
    kata.file.write_bytes(kata.solution.read_bytes())
    terminal.until("Passed", "quit")
    return time.perf_counter() - started


def key_latency(catalog: Catalog, terminal: Terminal) -> float:
    """The median of the seconds until a key shows something while code runs for ever."""
    kata = catalog.find("5")
    kata.file.write_text("while True: pass\n")
    terminal.until("Judging")
    seconds = []
    for _ in range(KEYS):
        started = time.perf_counter()
        terminal.press("l")
        terminal.until("GPT katas", "Judging")
        seconds.append(time.perf_counter() - started)
    save_and_wait(kata, terminal)
    return statistics.median(seconds)


def growth_of(catalog: Catalog, terminal: Terminal) -> tuple[float, int]:
    """How much the loop and its warm process grew over many saves, as a share, and the children left behind."""
    kata = catalog.find("7")
    save_and_wait(kata, terminal)
    processes = [terminal.pid, *children(terminal.pid)]
    before = sum(map(memory, processes))
    for _ in range(SAVES // 2):
        save_and_wait(kata, terminal)
    left = sum(len(children(process)) for process in processes) - (len(processes) - 1)
    return sum(map(memory, processes)) / before - 1, left


def children(process: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(process)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines()]


def memory(process: int) -> int:
    """Kilobytes that a process holds."""
    listed = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True)
    return int(listed.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
