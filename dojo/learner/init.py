"""Write the learner's tree into an empty folder, from an installed package: what `dojo init` does. No torch here.

The folder becomes a clone whose remote is a repository of its own, `.dojo/versions.git`, with a commit for each version
that was installed. So `make update` works there as in any clone: a newer version is committed there, then merged.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from .. import __version__
from ..curriculum import stubs
from ..curriculum.catalog import Catalog
from ..system.files import write_whole
from ..system.git import Git, UpdateError

TREE = Path(__file__).resolve().parents[1] / "tree"  # in an installed package only; see pyproject.toml
VERSIONS = ".dojo/versions.git"
AUTHOR = ("-c", "user.name=GPT katas", "-c", "user.email=katas@localhost", "-c", "core.autocrlf=false")


class InitError(Exception):
    """The tree cannot be written there. The message says why and what to do; the folder is as it was."""


def init(root: Path) -> None:
    """Make `root`, which is empty or not there yet, a learner's tree. Raises InitError."""
    if not TREE.is_dir():
        raise InitError(
            "This dojo runs from a clone of the repository, which is a learner's tree already. Work there, or install "
            "the package: python -m pip install ."
        )
    if (inside := _inside(root)) is not None:
        raise InitError(f"{root} is not empty: {inside}. Nothing was changed; name a folder that is not there yet.")
    try:
        root.mkdir(parents=True, exist_ok=True)
        _versions(root)
        git = Git(root)
        git("init", "--quiet", "--initial-branch=main")
        git("remote", "add", "origin", VERSIONS)
        git("fetch", "--quiet", "origin")
        git("reset", "--quiet", "--hard", "origin/main")
        git("branch", "--quiet", "--set-upstream-to=origin/main")
        use_this_python(root)
    except OSError as error:
        raise InitError(f"{root} cannot be written: {error.strerror}.") from None
    except UpdateError as error:
        raise InitError(str(error)) from None


def commit_installed(root: Path) -> None:
    """Commit the installed version to a tree that `init` wrote, unless it is there. Raises UpdateError."""
    if TREE.is_dir() and (root / VERSIONS).is_dir():
        if Git(root / VERSIONS)("log", "-1", "--format=%s", "main") != f"Version {__version__}":
            _versions(root)
        use_this_python(root)


def use_this_python(root: Path) -> None:
    """Have `make` use the interpreter that this package is installed for."""
    write_whole(root / ".dojo" / "python.mk", f"PY := {sys.executable}\n")


def _versions(root: Path) -> None:
    """Commit the installed tree to the repository of versions, which is made where it is missing."""
    versions = root / VERSIONS
    versions.mkdir(parents=True, exist_ok=True)
    bare = Git(versions)
    if not (versions / "HEAD").is_file():
        bare("init", "--quiet", "--bare", "--initial-branch=main")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        shutil.copytree(TREE, tree, ignore=shutil.ignore_patterns("__pycache__"))
        for kata in Catalog(tree).katas:
            stubs.write(kata)
        bare(f"--work-tree={tree}", "add", "--all", ".")
        bare(*AUTHOR, f"--work-tree={tree}", "commit", "--quiet", "--no-verify", "-m", f"Version {__version__}")


def _inside(folder: Path) -> str | None:
    """What is in a folder, in short; None where nothing is."""
    if not folder.exists():
        return None
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ["it is a file"]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else None
