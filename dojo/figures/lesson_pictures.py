"""The measured pictures of lessons: found in `tests/pictures`, a file for each kata that has some, and written.

Each measures something with the reference's code and draws what it measured, in seconds and the same each time. It
stands as an SVG beside its lesson.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..curriculum.catalog import Kata
from ..gpt.model import Parts
from ..system.files import load_module
from .plots import save

Data = dict[str, Any]  # what a picture measured and draws: plain numbers, as JSON holds them


@dataclass(frozen=True)
class Picture:
    """A picture of a lesson: how to measure it, with the katas' modules, and draw it.

    What was measured is kept inside an SVG, so that it can be measured again and compared.
    """

    name: str
    measure: Callable[[Parts], Data]
    draw: Callable[[Data], Figure]

    def write(self, data: Data, lesson: str, *paths: Path) -> None:
        """Draw what was measured into files; what one sees in it is said in the lesson's text. Raises OSError."""
        alt = lesson.partition(f"]({self.name}.svg)")[0].rpartition("![")[2]
        for path in paths:  # each from a new figure: one that was written before is laid out a little differently
            save(self.draw(data), path, about={"Title": alt, "Description": json.dumps(data)})


def pictures_of(kata: Kata) -> Sequence[Picture]:
    """The pictures of a kata's lesson: `PICTURES` in its file, none where it has no such file."""
    path = kata.root / "tests" / "pictures" / f"{kata.slug}.py"
    pictures: Sequence[Picture] = load_module(path).PICTURES if path.is_file() else ()
    return pictures
