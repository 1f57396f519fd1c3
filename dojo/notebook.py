"""The cell magic `%%kata`: have a notebook's cell judged, and read the verdict below it."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import io
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from .curriculum import stubs
from .curriculum.catalog import Kata, UnknownKata
from .judge.client import Judge, JudgeError
from .judge.verdict import Verdict
from .learner.advice import after_verdict
from .learner.session import Session
from .learner.verdict_text import render
from .system.files import write_whole
from .system.root import find_root

try:
    from IPython.core.error import UsageError
    from IPython.core.magic import Magics, cell_magic, magics_class
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
    """Holds the judge, whose process is kept from cell to cell."""

    def __init__(self, shell: Any):
        super().__init__(shell)
        self.judge = Judge(find_root())
        atexit.register(self.judge.close)

    @magic_arguments()
    @argument("kata", help="5, k05 or causal_attention")
    @argument("--save", action="store_true", help="write the cell into the kata's file, after a backup")
    @argument("--strict", action="store_true", help="raise KataFailed unless the cell passes")
    @argument("--traceback", action="store_true", help="show the whole traceback")
    @cell_magic
    def kata(self, line: str, cell: str) -> None:
        """Judge this cell as the file of a kata.

        The cell runs in the judge's process, with its limits, never in the kernel; so the names it defines are not
        defined in the notebook. Saved, they can be imported (the first part is the folder of the kata):

            from katas.k05_causal_attention.causal_attention import CausalAttention

        Only a cell that is saved counts as an attempt, and as solved when it passes: that means that the kata's file
        passes, and later katas build on that file.
        """
        arguments = parse_argstring(self.kata, line)
        session = Session()  # anew for each cell: progress is also made outside of the notebook
        try:
            kata = session.catalog.find(arguments.kata)
        except UnknownKata as error:
            raise UsageError(str(error)) from None
        saved, note = save(session, kata, cell) if arguments.save else (False, "")
        verdict = self.verdict(session, kata, None if saved else cell)
        verdict.notes += [note] if note else []
        text = render(verdict, kata.title, arguments.traceback, advice=False)
        display(ShownVerdict(text.append(f"\n\n{_advice(verdict, kata, saved)}")))
        if saved:
            session.note(kata, verdict)
        if arguments.strict and verdict.verdict != "passed":
            raise KataFailed(f"{kata.code} did not pass. {verdict.message}")

    def verdict(self, session: Session, kata: Kata, cell: str | None) -> Verdict:
        """The verdict on a cell's text, or on the kata's file where that is None. Raises KataFailed."""
        solved = session.progress.solved(session.catalog)
        with tempfile.TemporaryDirectory() as folder:
            path = None
            if cell is not None:
                path = Path(folder, kata.file.name)
                # The empty line stands for that of the magic: lines are counted as the notebook counts them.
                path.write_bytes(f"\n{cell}".encode("utf-8", errors="surrogatepass"))
            try:
                verdict = self.judge.verdict(kata, solved, path)
            except JudgeError as error:
                raise KataFailed(str(error)) from None
            except KeyboardInterrupt:
                self.judge.close()  # it may yet answer this request, and the next cell is not to read that answer
                raise
        if path and verdict.where:
            verdict.where.file = "cell"
        return verdict


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


def _advice(verdict: Verdict, kata: Kata, saved: bool) -> str:
    """The line below a verdict, in a notebook's words."""
    passed = "" if saved else f"Next: keep it with %%kata {kata.name} --save. "
    hint = f" STEP={verdict.step}" if verdict.step else ""
    return after_verdict(verdict, passed, again="run the cell again", hint=hint)


def load(shell: Any) -> None:
    """Give `shell` the magic, and let it import what is saved in `katas`."""
    shell.register_magics(KataMagics(shell))
    root = str(find_root())
    if root not in sys.path:
        sys.path.insert(0, root)
