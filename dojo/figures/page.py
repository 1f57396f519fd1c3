"""The report: one page that needs nothing but a browser. Styles, script, curves and maps all stand in it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import torch
from rich.console import Console
from rich.text import Text

from ..bench import results
from ..gpt.model import GPT
from ..gpt.runs import read_runs
from ..gpt.trained import NotTrained, finished, kept_reference, latest
from ..learner.session import School
from ..system.files import write_whole
from . import tables
from .attention import TEXT, UnknownText, attend, most_attended

WEB = Path(__file__).parent / "web"
RESULTS = ("runs/bench", "data/benchmarks")  # folders: of this machine, of those that were recorded
PICTURES = {
    "memory": "The peak memory of each way to compute attention against the length of the sequence.",
    "roofline": "The rate that each way to compute attention reaches, under the limits of the machine.",
}  # what `make bench` drew in the first of these folders, and what one sees
LARGEST = 1_000_000  # bytes of a picture that is taken in
TEMPERATURES = (0.5, 0.8, 1.0, 1.3)
CHARACTERS = 240  # of each sample
PIECE = 40  # characters written before the clock is looked at
PATIENCE = 0.8  # seconds for each sample
SEED = 1


def write(school: School, text: str, console: Console) -> int:
    """Write `runs/report.html`, with attention maps of `text` if there is one; the exit status."""
    torch.set_num_threads(1)  # one token at a time: threads would only wait for each other
    notes: list[str] = []
    page = build(school, text, notes.append)
    for note in notes:
        console.print(Text(note, "yellow"), soft_wrap=True)
    path = school.root / "runs" / "report.html"
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, page)
    except OSError as error:
        console.print(Text(f"The page could not be written to {path}: {error.strerror}.", "red"))
        return 1
    console.print(f"Written to {school.near(path)}. Open it in a browser: {path.as_uri()}", soft_wrap=True)
    return 0


def build(school: School, text: str, say: Callable[[str], Any]) -> str:
    """The page as HTML; `say` is told of what is damaged and left out, which stands on the page too."""
    notes: list[str] = []

    def note(problem: str) -> None:
        notes.append(problem)
        say(problem)

    written, maps, data = _of_model(school, text, note)
    sections = {
        "Progress": tables.progress(school),
        "Loss": tables.curves(read_runs(school.root, note)),
        "Samples": written,
        "Attention": maps,
        "Benchmarks": tables.benchmarks(_measured(school.root, note)) + _drawn(school.root),
    }
    script = (WEB / "report.js").read_text(encoding="utf-8")
    return Template((WEB / "report.html").read_text(encoding="utf-8")).substitute(
        date=f"{datetime.now():%Y-%m-%d at %H:%M}",
        nav="".join(f'<a href="#{name.lower()}">{name}</a>' for name in sections),
        notes="".join(f'<p class="note">{escape(problem)}</p>' for problem in notes),
        sections="".join(
            f'<section id="{name.lower()}" aria-label="{name}"><h2>{name}</h2>{content}</section>'
            for name, content in sections.items()
        ),
        style=(WEB / "report.css").read_text(encoding="utf-8"),
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=_json(data),
    )


def samples(trained: GPT) -> str:
    """What the model writes at several temperatures, from the same seed."""
    shown = []
    for temperature in TEMPERATURES:
        generator, text, end = torch.Generator().manual_seed(SEED), "\n", time.monotonic() + PATIENCE
        while len(text) < CHARACTERS and time.monotonic() < end:
            text = trained.write(text, PIECE, generator, temperature)
        title = f"Temperature {temperature}"
        shown.append(f'<article><h3>{title}</h3><pre aria-label="{title}">{escape(text.strip())}</pre></article>')
    return f'<p>By {escape(trained.origin)}.</p><div class="samples">{"".join(shown)}</div>'


def attention(trained: GPT, text: str, say: Callable[[str], None]) -> tuple[str, dict[str, Any]]:
    """The section of the attention maps, and the data of its script: weights in thousandths, the future left out."""
    try:
        tokens, weights, importance = attend(trained, text or TEXT, say)
    except UnknownText as error:
        if text:
            say(str(error))
        known = trained.write("\n", 2 * PIECE, torch.Generator().manual_seed(SEED))
        tokens, weights, importance = attend(trained, known.strip()[:PIECE] or "\n", say)
    marked = most_attended(importance)
    thousandths = (weights * 1000).round().int().tolist()  # (layers, h, T, T)
    seen = [[[row[: at + 1] for at, row in enumerate(head)] for head in layer] for layer in thousandths]
    section = Template((WEB / "attention.html").read_text(encoding="utf-8")).substitute(
        origin=escape(trained.origin), text=escape("".join(tokens)), marked=len(marked)
    )
    return section, {"tokens": tokens, "marked": marked, "weights": seen}


def _of_model(school: School, text: str, note: Callable[[str], None]) -> tuple[str, str, dict[str, Any] | None]:
    """The samples, the section of the maps and its data; where there is no model, why. Nothing is trained here."""
    try:
        trained = _model(school, note)
    except NotTrained:
        missing = (
            "<p>No trained model is at hand. Train one: <code>make train</code></p><p>Or let the reference be trained "
            "for some seconds, on an embedded text: <code>make attention</code>, then <code>make report</code>.</p>"
        )
        return missing, missing, None
    try:
        return samples(trained), *attention(trained, text, note)
    except Exception as error:  # whatever a learner's own parts raise
        note(f"The model of {trained.origin} fails: {type(error).__name__}: {error}")
        failed = "<p>There is nothing to show: the model fails.</p>"
        return failed, failed, None


def _model(school: School, note: Callable[[str], None]) -> GPT:
    """The graduation model, or the reference as `make attention` left it. Raises NotTrained where there is neither."""
    try:
        return latest(school.catalog, school.progress.solved(school.catalog))
    except NotTrained as error:
        if finished(school.root):
            note(str(error))
    return kept_reference(school.catalog)


def _measured(root: Path, note: Callable[[str], None]) -> list[dict[str, Any]]:
    """The results of benchmarks, the newest first: this machine's own, and those recorded on others."""
    found = [one for folder in RESULTS for one in results.read_all(root / folder, note)]
    return sorted(found, key=lambda one: one["date"], reverse=True)


def _drawn(root: Path) -> str:
    """The pictures of the last benchmark. As images they can neither run scripts nor ask for anything."""
    shown = []
    for name, said in PICTURES.items():
        path = root / RESULTS[0] / f"{name}.svg"
        if path.is_file() and path.stat().st_size < LARGEST:
            data = base64.b64encode(path.read_bytes()).decode()
            shown.append(tables.figure(f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(said)}">', said))
    return "".join(shown)


def _json(data: Any) -> str:
    """JSON that can stand inside a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
