"""A learner's clone with two katas, in which the verbs can be tried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

from click.testing import CliRunner, Result

from dojo.cli import learn
from dojo.cli.main import app
from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog, Kata
from dojo.judge.client import Judge
from dojo.system.console import console

from .trees import copy_tree


class Clone:
    """A clone with k04 and k05. Verbs run in this process, and one warm judge serves all clones."""

    def __init__(self, root: Path, judge: Judge):
        self.root = copy_tree(root, only=("k04", "k05"))
        self.judge = judge

    def renew(self) -> Clone:
        """Stubs everywhere and no progress."""
        shutil.rmtree(self.root / ".dojo", ignore_errors=True)
        (self.root / ".dojo").unlink(missing_ok=True)
        for kata in Catalog(self.root).katas:
            stubs.write(kata)
        return self

    def kata(self, name: str) -> Kata:
        return Catalog(self.root).find(name)

    def save(self, name: str, text: str) -> None:
        self.kata(name).file.write_text(text, encoding="utf-8")

    def solution(self, name: str) -> str:
        return self.kata(name).solution.read_text(encoding="utf-8")

    def solve(self, name: str) -> None:
        """Save the solution; only a verdict makes it solved."""
        self.save(name, self.solution(name))

    def verb(self, *words: str) -> Result:
        """What `dojo WORDS` does, in this process: `exit_code`, `stdout`, `stderr`."""
        environment = {"DOJO_ROOT": str(self.root)}
        wide = mock.patch.object(console, "_width", 200)
        with wide, mock.patch.object(learn, "Judge", lambda root: nullcontext(self.judge)):
            result = CliRunner().invoke(app, list(words), env=environment, prog_name="dojo")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, name: str) -> tuple[int, dict[str, Any]]:
        """The exit status and the object of `dojo test NAME --json`."""
        result = self.verb("test", name, "--json")
        return result.exit_code, json.loads(result.stdout)

    def process(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `python WORDS` does, in a process of its own."""
        environment = os.environ | {"DOJO_ROOT": str(self.root), "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=900
        )
