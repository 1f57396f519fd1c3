"""The pictures of README: the screen of `make watch` with a named mistake, and where the heads of a model look.

Both have a background of their own, so that they can be read on light and on dark pages.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import CONSOLE_SVG_FORMAT, Console

from ..curriculum import stubs
from ..curriculum.catalog import Catalog
from ..gpt.trained import NotTrained, kept_reference, train_reference
from ..judge.client import Judge
from ..learner.session import Session
from ..learner.watch import Loop
from ..spec.suite import load_suite
from ..system.files import write_whole
from .attention import attend
from .lesson_pictures import Data
from .plots import figure, save

FOLDER = Path(".github") / "pictures"
KATA, MISTAKE = "k05", "scaled by the input width"
COLUMNS = 96  # of the screen
TEXT = "To be, or not to be"
FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)  # they would be fetched from a network


def write(session: Session) -> list[Path]:
    """Write them, and return where. Raises JudgeError, Interrupted and OSError."""
    watch, attention = (session.root / FOLDER / name for name in ("watch.svg", "attention.svg"))
    watch.parent.mkdir(parents=True, exist_ok=True)
    write_whole(watch, watch_screen(session))
    draw(measured(attention) or looks(session.catalog), attention)
    return [watch, attention]


def watch_screen(session: Session) -> str:
    """An SVG of what `make watch` shows to a learner who has made the mistake. Raises JudgeError."""
    kata = session.find(KATA)
    mistake = next(mistake for mistake in load_suite(kata).mistakes if mistake.name == MISTAKE)
    with tempfile.TemporaryDirectory() as folder, Judge(session.root) as judge:
        file = Path(folder, kata.file.name)
        file.write_text(stubs.unmarked(mistake.apply(kata.solution.read_text(encoding="utf-8"))), encoding="utf-8")
        loop = Loop(session, kata, judge, interactive=True)
        verdict = judge.verdict(kata, path=file)
    if verdict.where is not None:
        verdict.where = replace(verdict.where, file=session.relative(kata.file))
    loop.verdict, loop.below = verdict, None
    console = Console(
        file=io.StringIO(), record=True, width=COLUMNS, highlight=False, markup=False, legacy_windows=False
    )
    console.print(loop.screen())
    return console.export_svg(
        title=f"make watch KATA={kata.code[1:].lstrip('0')}",
        code_format=FONTS.sub("", CONSOLE_SVG_FORMAT),
        unique_id="watch",
    )


def measured(path: Path) -> Data | None:
    """What stands in an SVG as measured; None where there is no such picture."""
    if not path.is_file():
        return None
    found = re.search("<dc:description>(.*?)</dc:description>", path.read_text(encoding="utf-8"), re.DOTALL)
    data: Data | None = json.loads(unescape(found[1])) if found else None
    return data


def looks(catalog: Catalog) -> Data:
    """Where each head of the last layer looks: the reference's parts, trained for seconds. Raises Interrupted."""
    try:
        gpt = kept_reference(catalog)
    except NotTrained:
        gpt = train_reference(catalog, lambda run: None)
    tokens, weights, _ = attend(gpt, TEXT, lambda line: None)
    heads = [[[round(weight, 2) for weight in row] for row in head] for head in weights[-1].tolist()]
    return {"model": gpt.origin, "tokens": tokens, "heads": heads}


def draw(data: Data, path: Path) -> None:
    """Draw where the heads look; the data is kept in the SVG, so that no other model is trained for it."""
    save(
        _maps(data), path, about={"Title": f"Where the heads of {data['model']} look", "Description": json.dumps(data)}
    )


def _maps(data: Data) -> Figure:
    tokens: Sequence[str] = ["␣" if token == " " else token for token in data["tokens"]]
    drawn = figure(3.1 * len(data["heads"]), 3.4)
    for number, (axes, head) in enumerate(zip(drawn.subplots(1, len(data["heads"])), data["heads"]), 1):
        axes.imshow(head, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(tokens)), tokens, fontsize=8)
        axes.set_yticks(range(len(tokens)) if number == 1 else [], tokens if number == 1 else [], fontsize=8)
        axes.tick_params(length=0)
        axes.set_title(f"head {number}", fontsize=10)
        axes.set_xlabel("looked at", fontsize=9)
    drawn.axes[0].set_ylabel("looking", fontsize=9)
    return drawn
