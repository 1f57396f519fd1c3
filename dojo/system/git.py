"""Run git in a clone, and say in its own words what is wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SECONDS = 300  # that a remote may take


class UpdateError(Exception):
    """There is no update. The message says why and what to do; the clone is as it was."""


class Git:
    """Runs git in a clone."""

    def __init__(self, root: Path):
        self.root = root
        hidden = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # set inside git's hooks, and they mean another clone
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self.environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command, whatever comes of it. Raises UpdateError where there is no git."""
        command = ["git", "-c", "core.quotepath=false", *words]
        try:
            return subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, timeout=SECONDS)
        except FileNotFoundError:
            raise UpdateError("git is not installed, and updates come with git. See https://git-scm.com") from None
        except subprocess.TimeoutExpired:
            raise UpdateError(f"git {words[0]} gave no answer in {SECONDS} seconds. Try again later.") from None

    def __call__(self, *words: str) -> str:
        """What a command prints. Raises UpdateError with git's own words where it fails."""
        done = self.run(*words)
        if done.returncode != 0:
            raise UpdateError(f"git {words[0]} failed: {reason(done)}")
        return done.stdout.decode(errors="replace").strip()

    def lines(self, *words: str) -> list[str]:
        """The lines that a command prints."""
        return self(*words).splitlines()

    def yes(self, *words: str) -> bool:
        """Whether a command succeeds."""
        return self.run(*words).returncode == 0

    def content(self, commit: str, path: str) -> bytes | None:
        """A file as it is in a commit, None where it is not in it."""
        done = self.run("show", f"{commit}:{path}")
        return done.stdout if done.returncode == 0 else None


def reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """The line in which git says what is wrong."""
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()] or ["no word of why"]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    return telling[0].split(":", 1)[-1].strip().rstrip(".") + "."
