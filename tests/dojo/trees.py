"""Trees to try things in: copies of this repository that a test may break."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKE = os.name == "posix" and bool(shutil.which("make"))  # on Windows it does not know where .venv has its Python


def copy_tree(target: Path, *, only: tuple[str, ...] = ()) -> Path:
    """Copy what a learner's clone holds (the machinery included) to `target`, with untouched stubs.

    With `only`, a kata of another name is left out.
    """
    from dojo.curriculum import stubs
    from dojo.curriculum.catalog import Catalog

    ignore = shutil.ignore_patterns("__pycache__", "downloads")
    for name in ("dojo", "katas", "solutions", "tests", "data", "notebooks"):
        shutil.copytree(ROOT / name, target / name, ignore=ignore)
    for path in ROOT.glob("*.*"):
        if path.is_file():
            shutil.copy(path, target / path.name)
    shutil.copy(ROOT / "Makefile", target / "Makefile")
    for kata in Catalog(target).katas:
        if only and kata.code not in only:
            shutil.rmtree(kata.solution.parent)
            shutil.rmtree(kata.file.parent)
    for kata in Catalog(target).katas:
        stubs.write(kata)
    return target
