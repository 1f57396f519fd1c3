"""`make train` and `make sample` as one types them: what they advise works, and an interrupted run is there to use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from unittest import mock

import pytest
from click.testing import CliRunner

from dojo.cli.main import app
from dojo.gpt.runs import History, UnderWay, hold
from dojo.system import console
from dojo.system.console import every

from ..trees import ROOT, copy_tree

# A process in which the preset `verona` is tiny, and which interrupts itself after some steps, or is killed.
SCRIPT = """
import os, signal, sys
from dojo.gpt import launch, presets, training
from tests.dojo.gpt.test_training import TINY
from dataclasses import replace
from unittest import mock
steps = int(os.environ.get("STEPS", 12))
presets.PRESETS["verona"] = replace(TINY, name="verona", steps=steps, evaluate_every=6)
launch.PROGRAM = [os.path.abspath("tiny.py")]
first = os.environ.get("RANK") == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
stop, after = int(os.environ.get("STOP_AT", 0)), training.Run._after
def stopping(self, asked, on_step):
    def then(run):
        on_step(run)
        if run.step == stop:
            os.kill(os.getpid(), signal.SIGINT)
        if run.step == int(os.environ.get("RAISE_AT", 0)):
            raise ValueError("no step 3")
        if first and run.step == int(os.environ.get("KILL_AT", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
    return after(self, asked, then)
training.Run._after = stopping
import dojo.system.processes
from dojo.cli.main import main
sys.argv[0] = "__main__.py"
main()
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    tree = copy_tree(tmp_path_factory.mktemp("clone"))
    (tree / "tiny.py").write_text(SCRIPT, encoding="utf-8")
    return tree


def typed(tree, line, **more):
    """What comes of a line as it would be typed, where `make` and `python -m dojo` are those of the tiny preset."""
    make = f'make --no-print-directory PY={sys.executable} DOJO="DOJO_DOOR=make {sys.executable} tiny.py"'
    line = re.sub(r"^\S+ -m dojo", f"{sys.executable} tiny.py", line)
    line = line.replace("make", make, 1) if line.startswith("make") else line
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "DOJO_DOOR"))}
    environment |= {"DOJO_ROOT": str(tree), "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"} | more
    run = subprocess.run(line, shell=True, cwd=tree, env=environment, capture_output=True, text=True, encoding="utf-8")
    return run.returncode, run.stdout + run.stderr


@pytest.mark.skipif(os.name == "nt", reason="there is no make here, and no SIGINT to send")
@pytest.mark.parametrize("line", ["make train IMPL=solutions", "python -m dojo train --impl solutions"])
def test_what_an_interrupted_run_advises_works_as_printed(tree, line):
    status, shown = typed(tree, line, STOP_AT="3")
    assert "Stopped at step 3. It is saved." in shown and "step     1 of 12" in shown, shown
    assert status == 2 if line.startswith("make") else 130
    (again,) = re.findall(r"Go on with: (.*)", shown)
    assert again.startswith("make train") == line.startswith("make") and "solutions" in again and "verona" in again
    program = line.split(" train")[0]
    seen = typed(tree, f"{program} sample" + (' PROMPT="to"' if program == "make" else ' --prompt "to"'))
    assert seen[0] == 0 and seen[1].startswith("to"), seen
    status, shown = typed(tree, again)
    assert status == 0 and "median step" in shown and "kept as" not in shown, shown


def test_every_so_often_is_at_once_and_then_after_a_while(monkeypatch):
    clock = iter([5.0, 6.0, 24.9, 25.0, 26.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    due = every(20)
    assert [due() for _ in range(5)] == [True, False, False, True, False]


@pytest.mark.parametrize(("verb", "policy"), [("sample", "PASSIVE"), ("bench", None)])
def test_what_runs_beside_other_work_waits_passively_before_torch_is_there(verb, policy):
    code = (
        "import sys, os, importlib\n"
        "from dojo.cli import main\n"
        "main.import_module = lambda name: print('torch' in sys.modules, os.environ.get('OMP_WAIT_POLICY')) or exit()\n"
        f"main.app([{verb!r}])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == f"False {policy}\n", done.stderr


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A root with a run that was begun, a finished one, and a folder that is no run."""
    monkeypatch.setenv("DOJO_ROOT", str(tmp_path))
    monkeypatch.setenv("DOJO_DOOR", "dojo")
    finished = History("mine", "verona", {"k01": "reference", "k05": "1f"}, "", None, [2.0, 1.5], [(2, 1.25)])
    for history in (
        replace(finished, source="3a-gpt2", kind="gpt2", parameters=1234, seconds=75.0, steps=2),
        History("other", "verona", {"k01": "reference"}, "ab", 0.5, [3.0], [], steps=9),
    ):
        (tmp_path / "runs" / history.name).mkdir(parents=True)
        history.write(tmp_path / "runs" / history.name)
    (tmp_path / "runs" / "bench").mkdir()
    return tmp_path / "runs"


def invoke(*words, typed=""):
    with mock.patch.object(console.console, "_width", 120):
        return CliRunner().invoke(app, ["runs", *words], input=typed)


def test_runs_are_listed_with_what_is_under_way(runs):
    with hold(runs / "other"):
        shown = invoke().output.splitlines()
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in shown[:-1]}
    assert rows["mine"] == "3a-gpt2, gpt2 1,234 2 of 2 1.2500 0:01:15 cpu 1 yours"
    assert rows["other"] == "verona, characters - 1 of 9, under way - - cpu the reference's"
    assert set(rows) == {"run", "mine", "other"} and "sample --run NAME" in shown[-1]
    assert "under way" not in invoke().output


def test_a_run_is_removed_once_that_is_confirmed(runs):
    for typed in ("", "n\n"):
        assert invoke("--clean", "mine", typed=typed).exit_code == 1 and (runs / "mine").is_dir()
    done = invoke("--clean", "mine", typed="y\n")
    assert done.exit_code == 0 and "runs/mine is removed" in done.output and not (runs / "mine").exists()
    for name in ("bench", "../runs/other", "none", "."):
        assert invoke("--clean", name, typed="y\n").exit_code == 2
    with hold(runs / "other"):
        assert "under way" in invoke("--clean", "other", typed="y\n").stderr
    assert (runs / "other").is_dir() and (runs / "bench").is_dir()


def test_two_processes_do_not_train_one_run(runs):
    said = "under way in another process. RUN=name begins another"
    with hold(runs / "other"), pytest.raises(UnderWay, match=said), hold(runs / "other"):
        pass


def test_the_runs_load_no_torch():
    code = "import sys; import dojo.cli.runs; print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "set()\n"


UNIX = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL here")


@pytest.fixture(scope="module")
def alone(tree):
    """The history of a run that one process trained."""
    assert typed(tree, "python -m dojo train --impl solutions --run alone")[0] == 0
    return History.read(tree / "runs" / "alone")


@UNIX
@pytest.mark.parametrize(("name", "killed"), [("pair", "0"), ("killed", "8")])
def test_two_processes_give_the_losses_of_one_also_where_one_is_killed(tree, alone, name, killed):
    line = f"python -m dojo train --impl solutions --run {name} --processes 2"
    status, shown = typed(tree, line, KILL_AT=killed)
    assert status == 0 and shown.count("validation loss") >= 2, shown
    history = History.read(tree / "runs" / name)
    assert len(history.losses) == 12 and history.losses == pytest.approx(alone.losses, abs=1e-4)
    assert [step for step, _ in history.evaluations] == [6, 12]
    assert "Traceback" not in shown and "torch.distributed" not in shown and "OMP_NUM" not in shown
    assert ("A process was ended. All began again, from step 6." in shown) == (killed == "8")


DOUBLE = "python -m dojo train --impl solutions --dtype float64"


@UNIX
def test_in_double_precision_fifty_steps_are_the_same_whoever_averages(tree):
    assert typed(tree, f"{DOUBLE} --run whole", STEPS="50")[0] == 0
    whole = History.read(tree / "runs" / "whole")
    for name, how in (("torch", ""), ("yours", " --parallel yours"), ("parts", " --parallel yours --accumulate 2")):
        status, shown = typed(tree, f"{DOUBLE} --run {name} --processes 2{how}", STEPS="50")
        assert status == 0, shown
        history = History.read(tree / "runs" / name)
        assert len(history.losses) == 50 and history.losses == pytest.approx(whole.losses, abs=1e-9)
        assert history.evaluations == [(step, pytest.approx(loss, abs=1e-9)) for step, loss in whole.evaluations]


@UNIX
def test_a_run_goes_on_with_another_number_of_processes(tree, alone):
    assert typed(tree, "python -m dojo train --impl solutions --run other --processes 2", STEPS="6")[0] == 0
    for more, steps in (("", "9"), (" --processes 2 --parallel yours", "12")):
        status, shown = typed(tree, f"python -m dojo train --impl solutions --run other --resume{more}", STEPS=steps)
        assert status == 0, shown
    history = History.read(tree / "runs" / "other")
    assert history.losses[:3] == pytest.approx(alone.losses[:3], abs=1e-4)
    assert len(history.losses) == 12 and history.parallel == "yours"


@UNIX
def test_what_a_process_raises_is_said_in_a_line_and_not_tried_again(tree):
    status, shown = typed(tree, "python -m dojo train --impl solutions --run bad --processes 2", RAISE_AT="3")
    assert status == 1 and "Traceback" not in shown and "began again" not in shown, shown
    problem, again = shown.strip().splitlines()[-2:]
    assert re.fullmatch(r"The processes ended at step \d+: ValueError: no step 3", problem)
    assert re.match("Go on with: .*--run bad --processes 2 --resume", again)


@UNIX
def test_an_interrupt_stops_all_processes_with_a_checkpoint(tree):
    words = [sys.executable, "tiny.py", "train", "--impl", "solutions", "--run", "long", "--processes", "2"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "DOJO_DOOR"))}
    environment |= {"DOJO_ROOT": str(tree), "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "STEPS": "1000000"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "encoding": "utf-8"}
    with subprocess.Popen(words, cwd=tree, env=environment, start_new_session=True, **pipes) as process:
        for line in process.stdout:
            if line.startswith("step     6"):
                os.kill(process.pid, signal.SIGINT)
                break
        rest = process.stdout.read()
    step = int(re.search(r"Stopped at step (\d+). It is saved. Go on with: .*--processes 2 --resume", rest)[1])
    assert process.returncode == 130 and len(History.read(tree / "runs" / "long").losses) == step >= 6
    with pytest.raises(ProcessLookupError):  # of its session nothing is left
        os.killpg(process.pid, 0)


def test_too_many_processes_for_a_batch_are_refused(tree):
    status, shown = typed(tree, "python -m dojo train --impl solutions --processes 3")
    assert status == 1 and "PROCESSES=3 does not divide the 4 windows of a batch" in shown
