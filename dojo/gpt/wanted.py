"""What was asked of a training run: its options, why they cannot be had, and the commands that give them again."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..system.command import command
from .presets import PRESETS

NAMES = {"base": "from"}  # options whose name is a word of Python


@dataclass(frozen=True)
class Wanted:
    """What was asked of `dojo train`: its options, by their names."""

    preset: str = "verona"
    impl: str = "yours"
    resume: bool = False
    text: str = ""
    valid: str = ""
    tokens: str = ""
    run: str = ""
    base: str = ""
    lora: int = 0
    device: str = "cpu"
    dtype: str = "float32"
    compile: bool = False
    accumulate: int = 0
    processes: int = 1
    parallel: str = "torch"
    nodes: int = 1
    at: str = ""

    @property
    def problem(self) -> str:
        """Why this cannot be asked for; nothing where it can."""
        if self.preset not in PRESETS or self.impl not in ("yours", "solutions"):
            return f"PRESET is one of {', '.join(PRESETS)}; IMPL is yours or solutions."
        if (self.valid or self.tokens or self.base) and not self.text:
            return "VALID, TOKENS and FROM go with a TEXT of your own."
        if self.base and self.tokens:
            return "FROM brings its tokens with it: leave TOKENS out."
        if self.lora and not self.base:
            return "LORA learns beside a trained model: FROM=gpt2, or FROM=RUN with one of your runs."
        if not re.fullmatch(r"(\w[\w.-]*)?", self.run):
            return "RUN is the name of a folder in runs/: letters, digits, and . _ - between them."
        if self.base and self.name == self.base:
            return f"RUN={self.name} is the run to go on from. Name another, in which to go on: RUN={self.name}-2"
        return ""

    @property
    def given(self) -> dict[str, Any]:
        """The options that are not as they are by default, by the names under which one gives them."""
        options = {each.name: getattr(self, each.name) for each in fields(self)}
        given = {name: value for name, value in options.items() if value != getattr(Wanted, name) or name == "preset"}
        return {NAMES.get(name, name): value for name, value in given.items()}

    @property
    def again(self) -> str:
        """The command that goes on with the run."""
        return command("train", **{name.upper(): value for name, value in (self.given | {"resume": True}).items()})

    @property
    def words(self) -> list[str]:
        """The same as words of a command line."""
        words = ["train", self.preset]
        for name, value in self.given.items():
            if name != "preset":
                words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        return words

    @property
    def name(self) -> str:
        """The name of the run's folder: what was asked for, else that of the text, else that of the preset."""
        text = Path(self.text.split(os.pathsep)[0]).resolve().name.split(".")[0] if self.text else ""
        return self.run or re.sub(r"[^\w.-]+", "-", text).strip("-.") or ("text" if self.text else self.preset)
