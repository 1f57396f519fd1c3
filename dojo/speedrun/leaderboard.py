"""The leaderboard of the speedrun: a file of this clone, `.dojo/speedrun.json`, and its table. No torch here.

It holds a list of entries. Each has `name` and `hash` (SHA-256) of the submission's file, `target`, `seeds`, `seconds`
and `losses` of each seed, `context_length`, `parameters`, `machine` (as in a results file), `date`.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from rich.table import Table

from ..system.files import locked, write_whole

VERSION = 1
Entry = dict[str, Any]
NEEDED = {"name": str, "hash": str, "target": float, "seconds": list, "losses": list, "machine": dict, "date": str}


def path_of(root: Path) -> Path:
    """Where the leaderboard of a clone is kept."""
    return root / ".dojo" / "speedrun.json"


def read(path: Path) -> list[Entry]:
    """The entries, none where there is no file. Raises OSError, and ValueError where the file is damaged or newer."""
    try:
        content = json.loads(path.read_bytes())
        entries = content["entries"]
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
        entries = [one for one in read(path) if _key(one) != _key(entry)] + [entry]
        write_whole(path, json.dumps({"version": VERSION, "entries": entries}, indent=1, ensure_ascii=False) + "\n")
    return entries


def table(entries: list[Entry], target: float) -> Table:
    """The entries for one target, fastest first."""
    shown = Table(title=f"To validation loss {target:g}", title_justify="left")
    for name in ("", "submission", "seconds", "each seed", "losses", "context", "parameters", "machine", "date"):
        shown.add_column(name, justify="right" if name in ("", "seconds", "context", "parameters") else "left")
    there = sorted((one for one in entries if one["target"] == target), key=middle)
    for place, one in enumerate(there, start=1):
        machine = one["machine"]
        shown.add_row(
            str(place),
            f"{one['name']} {one['hash'][:7]}",
            f"{middle(one):.2f}",
            " ".join(f"{seconds:.2f}" for seconds in one["seconds"]),
            " ".join(f"{loss:.3f}" for loss in one["losses"]),
            str(one.get("context_length", "")),
            f"{one['parameters']:,}" if one.get("parameters") else "",
            f"{machine.get('device_name') or machine.get('cpu', '')}, load {machine.get('load', '?')}",
            one["date"][:10],
        )
    return shown


def middle(entry: Entry) -> float:
    """The time that counts: the median over the seeds."""
    return statistics.median(entry["seconds"])


def _key(entry: Entry) -> tuple[Any, ...]:
    return entry["hash"], entry["target"], *(entry["machine"].get(name) for name in ("cpu", "cores", "device_name"))


def _sound(entry: Any) -> bool:
    return all(isinstance(entry[name], kind) for name, kind in NEEDED.items()) and len(entry["seconds"]) > 0
