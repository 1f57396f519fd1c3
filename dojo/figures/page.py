"""The report: one page that needs nothing but a browser. Styles, script, curves and maps all stand in it.

What it shows is collected here and in `sections.py`; what it looks like stands in `templates/`.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import jinja2
import torch
from markupsafe import Markup
from rich.console import Console
from rich.text import Text

from ..bench import results
from ..gpt.model import GPT
from ..gpt.runs import HEADS, cells, read_runs
from ..gpt.trained import NotTrained, finished, kept_reference, latest
from ..learner.session import BLACK_BELT, STATUS, Session
from ..system.command import command
from ..system.console import count
from ..system.files import write_whole
from . import sections
from .attention import TEXT, UnknownText, attend, most_attended

TEMPLATES = Path(__file__).parent / "templates"
SECTIONS = ("Progress", "Loss", "Samples", "Attention", "Benchmarks")  # each has a template of its name
TEMPERATURES = (0.5, 0.8, 1.0, 1.3)
CHARACTERS = 240  # of each sample
PIECE = 40  # characters written before the clock is looked at
PATIENCE = 0.8  # seconds for each sample
SEED = 1


class Maps(TypedDict):
    """What the page's script draws attention maps from."""

    tokens: list[str]
    marked: list[int]  # indices of the most attended tokens
    weights: list[Any]  # in thousandths: of each layer and head a row a token, the future left out


class Shown(NamedTuple):
    """What there is to see of the trained model; where there is nothing, `missing` says why."""

    origin: str = ""
    samples: dict[float, str] | None = None  # by temperature
    maps: Maps | None = None
    missing: str = ""  # "untrained" or "failed"


def write(session: Session, text: str, console: Console) -> int:
    """Write `runs/report.html`, with attention maps of `text` if there is one; the exit status."""
    torch.set_num_threads(1)  # one token at a time: threads would only wait for each other
    page, notes = build(session, text)
    for note in notes:
        console.print(Text(note, "yellow"), soft_wrap=True)
    path = session.root / "runs" / "report.html"
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, page)
    except OSError as error:
        console.print(Text(f"The page could not be written to {path}: {error.strerror}.", "red"))
        return 1
    console.print(f"Written to {session.relative(path)}. Open it in a browser: {path.as_uri()}", soft_wrap=True)
    return 0


def build(session: Session, text: str) -> tuple[str, list[str]]:
    """The page as HTML, and lines on what is damaged and left out, which stand on the page too."""
    notes: list[str] = []
    seen: set[Any] = set()
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    own, others = (results.read_all(session.root / folder, notes.append) for folder in results.FOLDERS)
    trained = read_runs(session.root, notes.append)
    page = render(
        "page.html",
        model=show(session, text, notes.append),
        session=session,
        attempts=count(sum(map(session.progress.attempts, session.catalog.katas)), "attempt"),
        runs=[cells(session.root, run) for run in trained],
        heads=HEADS,
        curves=sections.curves(trained),
        own=sections.benchmarks(own, seen),
        others=sections.benchmarks(others, seen),
        pictures=sections.pictures(session.root / results.FOLDERS[0]),
        notes=notes,
        sections=SECTIONS,
        date=f"{datetime.now():%Y-%m-%d at %H:%M}",
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page, notes


def render(template: str, **data: Any) -> str:
    """A template filled in; all text in the data is escaped."""
    loader, undefined = jinja2.FileSystemLoader(TEMPLATES), jinja2.StrictUndefined
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=undefined, trim_blocks=True)
    environment.globals.update(STATUS=STATUS, BLACK_BELT=BLACK_BELT, command=command)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment.get_template(template).render(data)


def show(session: Session, text: str, note: Callable[[str], None]) -> Shown:
    """What the trained model writes, and attends to in a text. Nothing is trained here."""
    try:
        gpt = _model(session, note)
    except NotTrained:
        return Shown(missing="untrained")
    try:
        return Shown(gpt.origin, samples(gpt), maps(gpt, text, note))
    except Exception as error:  # whatever a learner's own parts raise
        note(f"The model of {gpt.origin} fails: {type(error).__name__}: {error}")
        return Shown(missing="failed")


def samples(gpt: GPT) -> dict[float, str]:
    """What the model writes at several temperatures, from the same seed."""
    written = {}
    for temperature in TEMPERATURES:
        generator, text, end = torch.Generator().manual_seed(SEED), "\n", time.monotonic() + PATIENCE
        while len(text) < CHARACTERS and time.monotonic() < end:
            text = gpt.write(text, PIECE, generator, temperature)
        written[temperature] = text.strip()
    return written


def maps(gpt: GPT, text: str, say: Callable[[str], None]) -> Maps:
    """The attention maps of a text; of one that the model writes, where it does not know the characters of `text`."""
    try:
        tokens, weights, importance = attend(gpt, text or TEXT, say)
    except UnknownText as error:
        if text:
            say(str(error))
        known = gpt.write("\n", 2 * PIECE, torch.Generator().manual_seed(SEED))
        tokens, weights, importance = attend(gpt, known.strip()[:PIECE] or "\n", say)
    thousandths = (weights * 1000).round().int().tolist()  # (layers, h, T, T)
    seen = [[[row[: at + 1] for at, row in enumerate(head)] for head in layer] for layer in thousandths]
    return Maps(tokens=tokens, marked=most_attended(importance), weights=seen)


def _model(session: Session, note: Callable[[str], None]) -> GPT:
    """The graduation model, or the reference as `make attention` left it. Raises NotTrained where there is neither."""
    try:
        return latest(session.catalog, session.progress.solved(session.catalog))
    except NotTrained as error:
        if finished(session.root):
            note(str(error))
    return kept_reference(session.catalog)
