"""The leaderboard of the speedrun: a file of this clone, `.dojo/speedrun.json`, and its table. No torch here."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, TypedDict

from rich.table import Table

from ..bench.results import Machine
from ..system.files import locked, write_whole

VERSION = 1


class Entry(TypedDict):
    """What a submission took on a machine. What is not in `NEEDED` may be missing in a file."""

    name: str  # of the submission's file
    hash: str  # SHA-256 of it
    target: float  # nats a character
    seeds: list[int]
    seconds: list[float]  # of each seed
    losses: list[float]
    context_length: int
    parameters: int | None
    machine: Machine
    date: str  # UTC, ISO 8601


NEEDED = {"name": str, "hash": str, "target": float, "seconds": list, "losses": list, "machine": dict, "date": str}


def path_of(root: Path) -> Path:
    """Where the leaderboard of a clone is kept."""
    return root / ".dojo" / "speedrun.json"


def read(path: Path) -> list[Entry]:
    """The entries, none where there is no file. Raises OSError, and ValueError where the file is damaged or newer."""
    try:
        content = json.loads(path.read_bytes())
        entries: list[Entry] = content["entries"]
        if content["version"] != VERSION or not all(map(_sound, entries)):
            raise ValueError
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{path.name} is damaged, or of a newer version: move it away to begin anew") from None
    return entries


def enter(path: Path, entry: Entry) -> list[Entry]:
    """Add an entry, in place of one of the same file, target and machine; all entries. Raises as `read`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        entries = [other for other in read(path) if _key(other) != _key(entry)] + [entry]
        write_whole(path, json.dumps({"version": VERSION, "entries": entries}, indent=1, ensure_ascii=False) + "\n")
    return entries


def table(entries: list[Entry], target: float) -> Table:
    """The entries for one target, fastest first."""
    shown = Table(title=f"To validation loss {target:g}", title_justify="left")
    for name in ("", "submission", "seconds", "each seed", "losses", "context", "parameters", "machine", "date"):
        shown.add_column(name, justify="right" if name in ("", "seconds", "context", "parameters") else "left")
    ranked = sorted((entry for entry in entries if entry["target"] == target), key=median)
    for rank, entry in enumerate(ranked, start=1):
        machine = entry["machine"]
        shown.add_row(
            str(rank),
            f"{entry['name']} {entry['hash'][:7]}",
            f"{median(entry):.2f}",
            " ".join(f"{seconds:.2f}" for seconds in entry["seconds"]),
            " ".join(f"{loss:.3f}" for loss in entry["losses"]),
            str(entry.get("context_length", "")),
            f"{entry['parameters']:,}" if entry.get("parameters") else "",
            f"{machine.get('device_name') or machine.get('cpu', '')}, load {machine.get('load', '?')}",
            entry["date"][:10],
        )
    return shown


def median(entry: Entry) -> float:
    """The seconds that count: the median over the seeds."""
    return float(statistics.median(entry["seconds"]))


def _key(entry: Entry) -> tuple[Any, ...]:
    return entry["hash"], entry["target"], *(entry["machine"].get(name) for name in ("cpu", "cores", "device_name"))


def _sound(entry: Any) -> bool:
    return all(isinstance(entry[name], kind) for name, kind in NEEDED.items()) and len(entry["seconds"]) > 0
