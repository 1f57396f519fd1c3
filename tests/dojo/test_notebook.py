"""`%%kata` on a real Jupyter kernel: what a cell shows, saves and leaves alone."""

from __future__ import annotations

import json
import re
import shlex
import sys
import threading
import time

import pytest

from dojo.curriculum import notebooks, stubs
from dojo.curriculum.catalog import Catalog

from .learners import STEP_1, STUB
from .trees import ROOT, copy_tree

nbclient = pytest.importorskip("nbclient")
jupyter_client = pytest.importorskip("jupyter_client")
psutil = pytest.importorskip("psutil")
pytest.importorskip("ipykernel")
nbformat = pytest.importorskip("nbformat.v4")
PYTHON = shlex.quote(sys.executable)  # as it is called from the folder of a clone
MARKERS = re.compile(r"^ *# </?solution.*\n", re.MULTILINE)


class Notebook:
    """A notebook in a clone, and the kernel that runs its cells."""

    def __init__(self, clone):
        self.clone = clone
        self.kernel = jupyter_client.KernelManager(kernel_name="python3")
        resources = {"metadata": {"path": str(clone.root)}}
        self.client = nbclient.NotebookClient(nbformat.new_notebook(), self.kernel, timeout=600, resources=resources)

    def runs(self, source):
        """Run a cell: what its output says as plain text. Raises CellExecutionError."""
        self.cell = nbformat.new_code_cell(source)
        self.client.nb.cells.append(self.cell)
        self.client.execute_cell(self.cell, len(self.client.nb.cells) - 1)
        return self.shown("text/plain")

    def judges(self, text, line="5"):
        return self.runs(f"%%kata {line}\n{text}")

    def shown(self, kind):
        data = [output["data"] for output in self.cell.outputs if "data" in output]
        return "".join(one[kind] for one in data)

    def processes(self):
        return psutil.Process(self.kernel.provisioner.pid).children(recursive=True)


@pytest.fixture(scope="module")
def notebook(clone):
    clone.renew()
    notebook = Notebook(clone)
    environment = {"DOJO_ROOT": str(clone.root), "DOJO_PATIENCE": "0.5"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with notebook.client.setup_kernel():
            notebook.runs("%load_ext dojo")
            yield notebook


@pytest.fixture
def fresh(notebook):
    notebook.clone.renew()
    return notebook


def record(clone):
    path = clone.root / ".dojo" / "progress.json"
    return json.loads(path.read_text(encoding="utf-8"))["katas"] if path.exists() else {}


def backups(clone):
    return sorted((clone.root / ".dojo" / "backups").glob("*.py"))


# The verdict.


def test_a_right_cell_passes_and_leaves_file_and_progress_alone(fresh):
    said = fresh.judges(fresh.clone.solution("4"), "self_attention --strict")
    assert said.startswith("k04 · Self-attention\n  ✓ step 1") and "Passed, in" in said
    assert said.endswith(f"To compare: !{PYTHON} -m dojo solution 4\nNext: keep it with %%kata self_attention --save")
    assert "Passed, in" in fresh.shown("text/html")
    assert record(fresh.clone) == {}
    assert fresh.clone.kata("4").file.read_text(encoding="utf-8") == stubs.stub_of(fresh.clone.kata("4"))


def test_the_example_notebook_holds_no_outputs_and_shows_a_mistake(fresh):
    example = nbformat.reads((ROOT / "notebooks" / "katas.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in example.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    said = [fresh.runs(cell.source) for cell in code][-1]
    assert "✗ step 1 · The mask" in said and "It looks like this:" in said
    wrong = next(number for number, line in enumerate(code[-1].source.splitlines(), 1) if "def causal_mask" in line)
    assert f"\ncell:{wrong}\n    def causal_mask" in said
    assert f"Next: mend it, then run the cell again. A nudge: !{PYTHON} -m dojo hint 5 --step 1" in said


def test_what_a_verdict_advises_is_a_cell_that_runs(fresh):
    said = fresh.judges('def causal_mask(tokens):\n    raise NotImplementedError("step 1")\n')
    fresh.runs(re.search(r"A nudge: (.+)", said).group(1))
    assert "k05 · Causal attention, step 1" in "".join(output["text"] for output in fresh.cell.outputs)
    said = fresh.judges(fresh.clone.solution("4"), "4 --save")
    assert "Next: k05 · Causal attention\n" in said and said.endswith("Then be judged:   %%kata 5")
    fresh.runs(re.search(r"To compare: (.+)", said).group(1))
    assert "def softmax" in "".join(output["text"] for output in fresh.cell.outputs)


def step_cells(kata):
    """The solution of a kata in cells of steps, by the first step of each."""
    text = stubs.plain(kata)
    pieces = notebooks.pieces(kata.solution.read_text(encoding="utf-8"))
    cells = {piece.steps[0]: MARKERS.sub("", f"{piece.text}\n").rstrip() for piece in pieces}
    assert all(cell in text for cell in cells.values())
    return cells


def test_cells_of_steps_are_judged_together(fresh):
    cells = step_cells(fresh.clone.kata("5"))
    stub = notebooks.piece_of(fresh.clone.kata("5"), 2).text
    assert "Step 1 is not started." in fresh.judges(cells[2], "5 --step 2")
    said = fresh.judges(cells[1], "5 --step 1 --strict")  # what comes later is not this cell's business
    assert "✓ step 2" in said and "Step 3 is not started.\ncell of step 3:" in said
    said = fresh.judges(cells[4], "5 --step 4")
    assert "Step 3 is not started" in said
    fresh.judges(cells[3], "5 --step 3")
    wrong = cells[1].replace("diagonal=1", "diagonal=0")
    assert wrong != cells[1]
    said = fresh.judges(wrong, "5 --step 1")
    line = next(number for number, text in enumerate(wrong.splitlines(), 2) if "def causal_mask" in text)
    assert "✗ step 1" in said and f"\ncell:{line}\n" in said
    said = fresh.judges(cells[4], "5 --step 4")
    assert "✗ step 1" in said and f"\ncell of step 1:{line}\n" in said
    fresh.judges(cells[1], "5 --step 1")
    assert "Passed" in fresh.runs("%kata 5") and "Saved as" in fresh.runs("%kata 5 --save")
    assert fresh.clone.kata("5").file.read_text("utf-8").strip() == stubs.plain(fresh.clone.kata("5")).strip()
    assert "Step 2 is not started" in fresh.judges(stub, "5 --step 2")
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="k05 has no step 9"):
        fresh.judges("x", "5 --step 9")
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="No cell of k04 was run yet"):
        fresh.runs("%kata 4 --save")


def test_every_notebook_is_red_with_its_stubs_and_green_with_solutions(notebook, tmp_path, monkeypatch):
    """All katas in one kernel, in the cells that the notebooks have."""
    notebook.runs(f"import os; os.environ['DOJO_ROOT'] = {str(copy_tree(tmp_path / 'all'))!r}")
    try:
        for kata in Catalog(tmp_path / "all").katas:
            content = nbformat.reads(notebooks.notebook_file(kata).read_text(encoding="utf-8"))
            given = [cell.source for cell in content.cells if cell.source.startswith("%%kata")]
            said = [notebook.runs(source) for source in given][-1]
            assert "Step 1 is not started." in said, kata.code
            for step, text in step_cells(kata).items():
                said = notebook.judges(text, f"{kata.number} --step {step} --strict")
            assert "Passed" in said, (kata.code, said)
    finally:
        notebook.runs(f"os.environ['DOJO_ROOT'] = {str(notebook.clone.root)!r}")


def test_a_syntax_error_is_told_with_the_line_of_the_cell(fresh):
    said = fresh.judges("x = 1\ny = = 2\n")
    assert "Python cannot read your file" in said and "cell:3\n    y = = 2" in said


def test_a_stub_is_not_started(fresh):
    assert "Step 1 is not started." in fresh.judges(STUB)
    assert "Next: write step 1, then run the cell again." in fresh.shown("text/plain")


def test_html_is_escaped(fresh):
    said = fresh.judges(f"print('<b>bold</b> & [red]x[/red]')\n{STEP_1}")
    assert "<b>bold</b> & [red]x[/red]" in said
    html = fresh.shown("text/html")
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; [red]x[/red]" in html and "<b>" not in html
    assert "<html" not in html and html.startswith("<pre")


def test_traceback_is_shown_on_demand(fresh):
    cell = "raise ValueError('here')"
    assert "Traceback" not in fresh.judges(cell)
    assert "Traceback" in fresh.judges(cell, "5 --traceback")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("while True: pass", "without coming to an end"),
        ("import os; os._exit(0)", "ended the program"),
        ("import sys; sys.exit()", "ends the program"),
        ("while True: print('x' * 1000)", "prints without end"),
        ("import os; os.abort()", "crashed Python itself"),
    ],
    ids=["endless", "_exit", "exit", "flood", "abort"],
)
def test_no_cell_takes_the_kernel_down(fresh, cell, told):
    before = fresh.runs("import os; os.getpid()")
    assert told in fresh.judges(cell)
    assert len(fresh.shown("text/html")) < 20_000
    assert fresh.runs("os.getpid()") == before


def test_names_of_a_cell_are_not_defined_in_the_notebook(fresh):
    fresh.judges(STEP_1)
    assert fresh.runs("'causal_mask' in globals()") == "False"


# The options.


def test_strict_raises_unless_the_cell_passes(fresh):
    with pytest.raises(nbclient.exceptions.CellExecutionError) as caught:
        fresh.judges(STUB, "5 --strict")
    assert caught.value.ename == "KataFailed"
    assert "KataFailed: k05 did not pass. Step 1 is not started." in str(caught.value)
    assert "notebook.py" not in str(caught.value)  # no frames of the machinery
    assert "Step 1 is not started." in fresh.shown("text/plain")


def test_save_writes_the_file_keeps_a_backup_and_counts(fresh):
    clone = fresh.clone
    clone.save("4", "# mine\n")
    solution = clone.solution("4")
    said = fresh.judges(solution, "4 --save")
    (kept,) = backups(clone)
    assert (
        f"Saved as katas/k04_self_attention/self_attention.py. What stood there is kept as .dojo/backups/{kept.name}"
        in said
    )
    assert kept.read_text(encoding="utf-8") == "# mine\n"
    assert clone.kata("4").file.read_text(encoding="utf-8").strip() == solution.strip()
    assert record(clone)["k04_self_attention"]["last"] == "passed"
    assert "✓ k04" in clone.verb().stdout


def test_what_is_saved_can_be_imported_and_is_imported_anew(fresh):
    for answer in (1, 2, 2):
        fresh.judges(f"answer = {answer}", "4 --save")
        assert fresh.runs("from katas.k04_self_attention.self_attention import answer; answer") == str(answer)
    assert list(record(fresh.clone)["k04_self_attention"]["attempts"].values()) == [3]
    assert "Saved" not in fresh.shown("text/plain")
    assert [kept.read_text() for kept in backups(fresh.clone)][1:] == ["answer = 1\n"]  # the first is the stub


@pytest.mark.parametrize("cell", ["def f(:", "%matplotlib inline", "x = '\0'"])
def test_what_is_not_python_is_not_saved(fresh, cell):
    said = fresh.judges(cell, "5 --save")
    assert "not saved, since Python cannot read it" in said and "Passed" not in said
    assert fresh.clone.kata("5").file.read_text(encoding="utf-8") == STUB
    assert backups(fresh.clone) == [] and record(fresh.clone) == {}


def test_a_cell_that_cannot_be_saved_is_judged_all_the_same(fresh):
    fresh.clone.save("5", "# mine\n")
    (fresh.clone.root / ".dojo").write_text("in the way")
    said = fresh.judges(STUB, "5 --save")
    assert "The cell could not be saved (" in said and "Step 1 is not started." in said
    assert fresh.clone.kata("5").file.read_text(encoding="utf-8") == "# mine\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("casual_atention", 'There is no kata "casual_atention". Did you mean causal_attention (k05)?'),
        ("77", "There is no kata 77"),
        ("", "the following arguments are required: kata"),
        ("5 --speed", "unrecognized arguments: --speed"),
    ],
)
def test_a_line_that_is_not_understood_is_a_usage_error(fresh, line, told):
    with pytest.raises(nbclient.exceptions.CellExecutionError):
        fresh.judges("x = 1", line)
    said = "".join(output.get("text", "") for output in fresh.cell.outputs)
    assert said.startswith("UsageError: ") and told in said


# The judge.


def test_a_judge_that_died_is_started_again(fresh):
    fresh.judges("x = 1")
    (process,) = fresh.processes()
    process.kill()
    while process.status() != psutil.STATUS_ZOMBIE:  # the system takes a moment to take it down
        time.sleep(0.02)
    assert "Step 2 is not started." in fresh.judges(STEP_1)


def test_an_interrupt_stops_the_waiting_and_the_next_cell_is_judged(fresh, tmp_path):
    sign = tmp_path / "sign"

    def interrupt():
        while not sign.exists():
            time.sleep(0.02)
        fresh.kernel.interrupt_kernel()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(nbclient.exceptions.CellExecutionError) as caught:
        fresh.judges(f"import pathlib, time\npathlib.Path({str(sign)!r}).touch()\ntime.sleep(999)")
    assert caught.value.ename == "KeyboardInterrupt"
    assert "Step 2 is not started." in fresh.judges(STEP_1)


# What is there without a notebook, and after it.


def test_dojo_stays_light_and_says_what_the_magic_needs(clone):
    done = clone.process("-c", "import sys, dojo; print({'IPython', 'rich', 'typing'} & set(sys.modules))")
    assert done.stdout == "set()\n"
    done = clone.process("-c", "import sys; sys.modules['IPython'] = None; import dojo.notebook")
    assert done.stderr.endswith("ImportError: %%kata is for notebooks and needs IPython: pip install ipykernel\n")


def test_no_process_is_left_when_the_kernel_ends(fresh):
    fresh.judges("x = 1")
    processes = fresh.processes()
    assert processes
    fresh.kernel.shutdown_kernel()
    assert psutil.wait_procs(processes, 300)[1] == []
