"""The katas, found from their folders: no list of them stands anywhere. Nothing here imports torch."""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from ..system.command import command
from ..system.files import content_of

SLUG = re.compile(r"k(\d+)_(\w+)")
OPTIONAL = re.compile(r"\A# [^\n]+\n+\*Black belt: optional\.\*$", re.MULTILINE)  # the line below a lesson's title
Hint = tuple[str, str]  # how much it says, such as "A question", and its text
HINT = re.compile(r"<details>\s*<summary>(.*?)</summary>\s*(.*?)\s*</details>", re.DOTALL)


class HintPart(NamedTuple):
    """Hints of a step: on which topic ("" for the step as a whole), and the words that name it in names of claims."""

    topic: str
    words: set[str]
    hints: list[Hint]


class UnknownKata(LookupError):
    """No kata goes by that name; the message suggests the nearest."""


@dataclass(frozen=True)
class Kata:
    """One kata: where its files are, and what its lesson says."""

    root: Path
    slug: str  # k05_causal_attention

    @property
    def number(self) -> int:
        return int(self.slug[1:].split("_", 1)[0])

    @property
    def code(self) -> str:
        """Its short name: k05."""
        return f"k{self.number:02}"

    @property
    def name(self) -> str:
        """The name of its module: causal_attention."""
        return self.slug.split("_", 1)[1]

    @property
    def file(self) -> Path:
        """What the learner edits."""
        return self.root / "katas" / self.slug / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / self.slug / f"{self.name}.py"

    @property
    def lesson(self) -> Path:
        return self.root / "katas" / self.slug / "README.md"

    @property
    def tests(self) -> Path:
        return self.root / "tests" / "katas" / f"test_{self.slug}.py"

    @property
    def mistakes(self) -> Path:
        return self.root / "tests" / "mistakes" / f"{self.slug}.py"

    @property
    def races(self) -> Path:
        """Where it says who races in this kata; a kata that has nothing to race lacks the file."""
        return self.root / "tests" / "benchmarks" / f"{self.slug}.py"

    @property
    def alternatives(self) -> list[Path]:
        return sorted((self.root / "tests" / "alternatives" / self.slug).glob("*.py"))

    @cached_property
    def text(self) -> str:
        """The lesson, or nothing where it is missing."""
        return self.lesson.read_text(encoding="utf-8") if self.lesson.is_file() else ""

    @property
    def title(self) -> str:
        """From the lesson's first heading, "# k05 · Causal attention"."""
        heading = re.search(r"^# k\d+ · (.+)$", self.text, re.MULTILINE)
        return heading.group(1).strip() if heading else self.name.replace("_", " ").capitalize()

    @property
    def optional(self) -> bool:
        """Whether one may leave it out: its lesson says "*Black belt: optional.*" right below the title."""
        return OPTIONAL.search(self.text) is not None

    @property
    def takeaway(self) -> str:
        """What one has learned, in a line."""
        return " ".join(section(self.text, "## What you take away").split())

    @cached_property
    def steps(self) -> dict[int, str]:
        """The titles of the steps, by number, from the lesson's headings "### Step 1 · The mask"."""
        headings = re.findall(r"^### Step (\d+) · (.+)$", section(self.text, "## Steps"), re.MULTILINE)
        return {int(number): title.strip() for number, title in headings}

    def hints(self, step: int, topic: str | None = None) -> list[Hint]:
        """The hints for a step, or for one of its topics, gentlest first; topic "" is what the others leave."""
        parts = self.hint_parts(step)
        chosen = [part for part in parts if topic in (None, part.topic)] or parts
        return [hint for part in chosen for hint in part.hints]

    def topic(self, step: int, claim: str) -> str:
        """Of the topics of a step's hints, such as "decode", the one whose words are in a claim's name; "" if none."""
        words = set(claim.split("_"))
        return next((part.topic for part in self.hint_parts(step) if words & part.words), "")

    def hint_parts(self, step: int) -> list[HintPart]:
        """The parts of a step's hints, by heading: "### Step 2 · decode", "### Step 1 · clipping <!-- gradient -->"."""
        heading = rf"^### Step {step}(?: · ([\w ]+?))?(?: <!-- ([\w ]+) -->)?[ \t]*\n"
        parts = re.findall(heading + r"(.*?)(?=^### |\Z)", section(self.text, "## Hints"), re.DOTALL | re.MULTILINE)
        return [HintPart(topic, set((words or topic).split()), HINT.findall(text)) for topic, words, text in parts]

    @property
    def needs(self) -> dict[str, list[str]]:
        """The earlier katas that the solution imports, and which names of each."""
        return _needs(content_of(self.solution))


class Catalog:
    """All katas below a root folder, in order."""

    def __init__(self, root: Path):
        self.root = root
        folders = (root / "solutions").glob("k*_*")
        katas = [Kata(root, path.name) for path in folders if SLUG.fullmatch(path.name)]
        self.katas = sorted((kata for kata in katas if kata.solution.is_file()), key=lambda kata: kata.number)

    @property
    def required(self) -> list[Kata]:
        """Those that count: the GPT is built of them."""
        return [kata for kata in self.katas if not kata.optional]

    @property
    def optional(self) -> list[Kata]:
        return [kata for kata in self.katas if kata.optional]

    def find(self, text: str) -> Kata:
        """The kata called `text`: 5, 05, k05, causal_attention or k05_causal_attention. Raises UnknownKata."""
        wanted = text.strip().lower().replace("-", "_").removesuffix(".py")
        names = {name: kata for kata in self.katas for name in (kata.slug, kata.name, kata.code, str(kata.number))}
        digits = wanted.removeprefix("k")
        if digits.isdecimal():
            wanted = str(int(digits))
        if wanted in names:
            return names[wanted]
        if digits.isdecimal():
            last = self.katas[-1].number if self.katas else 0
            raise UnknownKata(f"There is no kata {text}: they go from 1 to {last}. `{command()}` lists them.")
        meant = [kata for kata in self.katas if f"_{wanted}_" in f"_{kata.name}_"] or self._like(wanted, names)
        offers = ", ".join(f"{kata.name} ({kata.code})" for kata in meant)
        advice = f"Did you mean {' or '.join(offers.rsplit(', ', 1))}?" if meant else f"`{command()}` lists them."
        raise UnknownKata(f'There is no kata "{text}". {advice}')

    def _like(self, wanted: str, names: dict[str, Kata]) -> list[Kata]:
        """The kata whose name, or a word of whose name, is most like what was wanted; none where nothing is."""
        words = {word: kata for kata in self.katas for word in kata.name.split("_")} | names
        return [words[word] for word in difflib.get_close_matches(wanted, words, n=1, cutoff=0.5)]

    def by_slug(self, slug: str) -> Kata:
        return next(kata for kata in self.katas if kata.slug == slug)


@lru_cache(maxsize=64)
def _needs(solution: bytes) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse(solution)):
        if isinstance(node, ast.ImportFrom) and node.level == 2 and node.module:
            names.setdefault(node.module.split(".")[0], []).extend(alias.name for alias in node.names)
    return names


def section(text: str, heading: str) -> str:
    """What stands under a Markdown heading, up to the next heading of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    pattern = rf"^{re.escape(heading)}(?: ·[^\n]*)?[ \t]*\n(.*?)(?=^#{{1,{level}}} |\Z)"
    part = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    return part.group(1).strip() if part else ""
