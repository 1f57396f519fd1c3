"""The learner's tree: the folder that a command works on. Nothing here imports torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def find_root() -> Path:
    """The learner's tree: DOJO_ROOT, else the nearest folder upwards that holds katas and solutions, else the clone's
    that this package is run from. Ends the program where there is none."""
    if chosen := os.environ.get("DOJO_ROOT"):
        return Path(chosen).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "katas").is_dir() and (folder / "solutions").is_dir():
            return folder
    print("There are no katas here. Go to the folder that has them, or make one: dojo init FOLDER", file=sys.stderr)
    raise SystemExit(2)
