"""The magics `%%kata` and `%kata`: have a notebook's cells judged, and read the verdict below."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import io
import os
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from .curriculum import notebooks, stubs
from .curriculum.catalog import Kata
from .judge.client import Judge, JudgeError
from .judge.verdict import Verdict
from .learner.advice import after_verdict, then
from .learner.session import Session
from .learner.verdict_text import render
from .system.command import DOOR, python
from .system.files import write_whole
from .system.root import find_root

try:
    from IPython.core.error import UsageError
    from IPython.core.magic import Magics, line_cell_magic, magics_class
    from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
    from IPython.display import display
except ImportError as error:
    raise ImportError("%%kata is for notebooks and needs IPython: pip install ipykernel") from error

WIDTH = 100  # characters of a line of a verdict


class KataFailed(Exception):
    """The cell did not pass, and was to (`--strict`); or there is no verdict. Shown as one line."""

    def _render_traceback_(self) -> list[str]:
        return [f"KataFailed: {self}"]  # the frames would all be the machinery's


class ShownVerdict:
    """A verdict as a notebook shows it: HTML where it can, else plain text."""

    def __init__(self, text: Text):
        self.text = text

    def __repr__(self) -> str:
        return self.text.plain

    def _repr_html_(self) -> str:
        console = Console(record=True, file=io.StringIO(), width=WIDTH, force_jupyter=False)
        console.print(self.text)
        return console.export_html(inline_styles=True, code_format='<pre style="white-space: pre-wrap">{code}</pre>')


@magics_class
class KataMagics(Magics):
    """Holds the judge, and the cells of steps as they were last run."""

    def __init__(self, shell: Any):
        super().__init__(shell)
        self.judge = Judge(find_root())
        atexit.register(self.judge.close)
        self.cells: dict[str, dict[int, str]] = {}  # by kata and first step

    @magic_arguments()
    @argument("kata", help="5, k05 or causal_attention")
    @argument("--step", type=int, help="the cell holds this step only; the others are as their cells were last run")
    @argument("--save", action="store_true", help="write the cell into the kata's file, after a backup")
    @argument("--strict", action="store_true", help="raise KataFailed unless the cell passes")
    @argument("--traceback", action="store_true", help="show the whole traceback")
    @line_cell_magic
    def kata(self, line: str, cell: str | None = None) -> None:
        """Judge this cell as the file of a kata or, with --step, as a part of it; %kata judges the parts together.

        The cell runs in the judge's process, with its limits, never in the kernel; so the names it defines are not
        defined in the notebook. Saved, they can be imported (the first part is the folder of the kata):

            from katas.k05_causal_attention.causal_attention import CausalAttention

        Only what is saved counts as an attempt, and as solved when it passes: that means that the kata's file passes,
        and later katas build on that file.
        """
        arguments = parse_argstring(self.kata, line)
        session = Session()  # anew for each cell: progress is also made outside of the notebook
        try:
            kata = session.catalog.find(arguments.kata)
            source = self._source(kata, cell, arguments.step)
        except LookupError as error:
            raise UsageError(str(error)) from None
        saved, note = save(session, kata, source.text) if arguments.save else (False, "")
        verdict = self.verdict(session, kata, None if saved else source)
        if not saved:
            source.place(verdict)
        verdict.notes += [note] if note else []
        text = render(verdict, kata.title, arguments.traceback, advice="")
        display(ShownVerdict(text.append(f"\n\n{_advice(session, verdict, kata, saved)}")))
        if saved:
            session.note(kata, verdict)
        passed = verdict.verdict == "passed" or arguments.step and (verdict.step or 0) > max(source.steps)
        if arguments.strict and not passed:
            raise KataFailed(f"{kata.code} did not pass. {verdict.message}")

    def _source(self, kata: Kata, cell: str | None, step: int | None) -> Source:
        """What is judged. Raises LookupError."""
        if cell is not None and step is None:
            return Source(cell)
        cells = self.cells.setdefault(kata.slug, {})
        steps: tuple[int, ...] = ()
        if cell is not None and step is not None:
            steps = notebooks.piece_of(kata, step).steps
            cells[steps[0]] = cell
        if not cells:
            raise LookupError(f"No cell of {kata.code} was run yet. Run those with %%kata {kata.number} --step first.")
        return Source(*notebooks.joined(kata, cells), steps)

    def verdict(self, session: Session, kata: Kata, source: Source | None) -> Verdict:
        """The verdict on what cells hold, or on the kata's file where that is None. Raises KataFailed."""
        solved = session.progress.solved(session.catalog)
        with tempfile.TemporaryDirectory() as folder:
            path = None
            if source is not None:
                path = Path(folder, kata.file.name)
                # The empty line stands for that of the magic: lines are counted as the notebook counts them.
                path.write_bytes(f"\n{source.text}".encode("utf-8", errors="surrogatepass"))
            try:
                return self.judge.verdict(kata, solved, path)
            except JudgeError as error:
                raise KataFailed(str(error)) from None
            except KeyboardInterrupt:
                self.judge.close()  # it may yet answer this request, and the next cell is not to read that answer
                raise


@dataclass
class Source:
    """The text that is judged, and from which cells it comes."""

    text: str
    starts: dict[int, int] = field(default_factory=dict)  # by the first step of each cell: the lines above it
    steps: tuple[int, ...] = ()  # those of the cell that was run

    def place(self, verdict: Verdict) -> None:
        """Have a verdict name a line of a cell."""
        if verdict.where:
            first = max((step for step, above in self.starts.items() if above < verdict.where.line - 1), default=0)
            verdict.where.line -= self.starts.get(first, 0)
            verdict.where.file = "cell" if first in (0, *self.steps[:1]) else f"cell of step {first}"


def save(session: Session, kata: Kata, cell: str) -> tuple[bool, str]:
    """Write a cell into the kata's file, after a backup: whether it stands there now, and what to say about it."""
    file, kept = session.relative(kata.file), ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(cell, "cell", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False, f"The cell is not saved, since Python cannot read it; {file} is as it was."
    try:
        if kata.file.exists():
            if kata.file.read_bytes() == cell.encode():
                return True, ""
            kept = f" What stood there is kept as {session.relative(stubs.back_up(kata))}."
        kata.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kata.file, cell)
    except OSError as error:
        return False, f"The cell could not be saved ({error}); {file} is as it was."
    with contextlib.suppress(OSError, NotImplementedError):  # it passes for that of any save of this second and length
        Path(importlib.util.cache_from_source(str(kata.file))).unlink()
    for name in [name for name in sys.modules if name.split(".")[0] == "katas"]:
        del sys.modules[name]  # the next import takes what was saved
    return True, f"Saved as {file}.{kept}"


def _advice(session: Session, verdict: Verdict, kata: Kata, saved: bool) -> str:
    """What stands below a verdict, in a notebook's words."""
    following = then(session, kata) if saved else [f"Next: keep it with %%kata {kata.name} --save"]
    return after_verdict(verdict, following, again="run the cell again", step=verdict.step or 0)


def load(shell: Any) -> None:
    """Give `shell` the magic, and let it import what is saved in `katas`."""
    os.environ[DOOR] = f"!{python()} -m dojo"
    shell.register_magics(KataMagics(shell))
    root = str(find_root())
    if root not in sys.path:
        sys.path.insert(0, root)
