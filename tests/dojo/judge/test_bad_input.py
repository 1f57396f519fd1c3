"""Whatever a learner saves, the judge answers, and each bad case has its own plain message.

Everything here goes through the real child process; one warm judge serves them all.
"""

import os
import re
import signal

import pytest

from dojo.judge.client import Judge
from dojo.learner.verdict_text import render

from ..learners import DROP, FILL, MASK, SOLUTION, STEP_1, STUB, WEIGHTS, Learner, body, line_of, swapped
from ..trees import ROOT

INTERRUPTED = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="code is ended here, not interrupted")
FORKING = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(scope="module")
def learner(tmp_path_factory, judge):
    return Learner(judge, tmp_path_factory.mktemp("learner"))


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A learner whose judge waits a fifth of the usual time for a loop to end."""
    with pytest.MonkeyPatch.context() as patch, Judge(ROOT) as judge:
        patch.setenv("DOJO_PATIENCE", "0.2")
        yield Learner(judge, tmp_path_factory.mktemp("hasty"))


def where(verdict) -> tuple[int, str]:
    return verdict.where.line, verdict.where.code


def short(verdict) -> tuple[str, str]:
    return verdict.verdict, verdict.message


# Nothing is wrong yet.


def test_an_untouched_stub_is_not_started(learner):
    verdict = learner.saves(STUB)
    assert (verdict.verdict, verdict.step) == ("not_started", 1)
    assert verdict.message == "Step 1 is not started." and not verdict.diagnosis


def test_a_stub_with_step_1_done_is_not_started_at_step_2(learner):
    verdict = learner.saves(STEP_1)
    assert (verdict.verdict, verdict.step) == ("not_started", 2)
    assert [step.status for step in verdict.steps] == ["passed", "not_started", "not_reached", "not_reached"]


def test_a_step_of_two_parts_with_one_written_is_not_finished(learner):
    text = swapped("weights = masked_softmax", 'raise NotImplementedError("step 4")\n        weights = masked_softmax')
    verdict = learner.saves(text)
    assert short(verdict) == ("not_started", "Step 4 is not finished.")
    assert where(verdict) == (line_of(text, "NotImplementedError"), 'raise NotImplementedError("step 4")')


def test_a_wrong_step_1_is_told_before_the_step_that_is_not_started(learner):
    assert learner.saves(STEP_1.replace("diagonal=1", "diagonal=0")).step == 1


def test_byte_order_mark_and_windows_line_ends_pass(learner):
    verdict = learner.saves(b"\xef\xbb\xbf" + SOLUTION.replace("\n", "\r\n").encode())
    assert short(verdict) == ("passed", "")


# The file.


def test_a_syntax_error_is_told_with_its_line(learner):
    text = swapped("if not training or rate == 0:", "if not training or rate == 0")
    verdict = learner.saves(text)
    assert short(verdict) == ("error", "Python cannot read your file: expected ':'.")
    assert where(verdict) == (line_of(text, "if not training"), "if not training or rate == 0")


def test_a_file_cut_in_the_middle_is_a_syntax_error(learner):
    text = SOLUTION[: SOLUTION.index("masked_fill(mask") + len("masked_fill(mask")]
    verdict = learner.saves(text)
    assert short(verdict) == ("error", "Python cannot read your file: '(' was never closed.")
    assert where(verdict)[0] == line_of(text, "masked_fill(mask")


def test_a_file_with_null_bytes_is_saved_only_in_part(learner):
    verdict = learner.saves(SOLUTION[:500].encode() + bytes(500))
    assert short(verdict) == ("error", "Your file holds null bytes: it seems to be saved only in part.")
    assert where(verdict)[0] == SOLUTION[:500].count("\n") + 1


BACK = "`make reset KATA=causal_attention` brings the stub back."


@pytest.mark.parametrize("content", ["", " \n\n"])
def test_an_empty_file_says_how_to_get_the_stub_back(learner, content):
    assert short(learner.saves(content)) == (
        "error",
        "Your file is empty. `make reset KATA=causal_attention` brings the stub back.",
    )


def test_a_file_without_any_definition_asks_whether_it_is_whole(learner):
    verdict = learner.saves("# to do\n")
    message = "There is no function `causal_mask` in your file. The file defines nothing at all: is it saved whole?"
    assert short(verdict) == ("error", message)


def test_a_deleted_file_says_how_to_get_the_stub_back(learner):
    learner.file.unlink(missing_ok=True)
    assert short(learner.asks()) == (
        "error",
        "Your file is gone. `make reset KATA=causal_attention` brings the stub back.",
    )


def test_a_folder_in_place_of_the_file_cannot_be_read(learner):
    learner.file.unlink(missing_ok=True)
    learner.file.mkdir()
    verdict = learner.asks()
    learner.file.rmdir()
    assert verdict.verdict == "error"
    assert re.fullmatch(r"Your file cannot be read: (Is a directory|Permission denied)\.", verdict.message)


def test_a_file_that_is_not_utf8_is_told_with_its_line(learner):
    verdict = learner.saves(swapped("One head of", "Éine head of").encode("latin-1"))
    assert short(verdict) == ("error", "Your file is not UTF-8 text. Save it in the encoding UTF-8.")
    assert where(verdict)[0] == line_of(SOLUTION, "One head of")


# Names.


def test_a_misnamed_class_is_suggested(learner):
    verdict = learner.saves(SOLUTION.replace("CausalAttention", "CasualAttention"))
    message = "There is no class `CausalAttention` in your file. There is `CasualAttention`: is it misnamed?"
    assert short(verdict) == ("error", message) and verdict.step == 4


def test_a_missing_function_is_named_and_nothing_far_off_is_suggested(learner):
    verdict = learner.saves(SOLUTION.replace("causal_mask", "upper_triangle"))
    assert short(verdict) == ("error", "There is no function `causal_mask` in your file.")


# Answers.


def test_none_asks_for_the_return(learner):
    text = swapped(MASK, MASK.removeprefix("return "))
    assert short(learner.saves(text)) == ("failed", "causal_mask(1) is None: is a `return` missing?")


def test_a_name_of_python_s_library_that_is_not_imported_is_told_once(learner):
    verdict = learner.saves(swapped("/ key.shape[-1] ** 0.5", "/ math.sqrt(key.shape[-1])"))
    message = "Your code raises NameError: name 'math' is not defined. Is `import math` missing?"
    assert short(verdict) == ("failed", message) and not verdict.got


def test_a_wrong_type_is_named(learner):
    verdict = learner.saves(swapped(MASK, "return [[False]]"))
    assert short(verdict) == ("failed", "causal_mask(1) is a list, not a tensor.")


def test_a_wrong_shape_is_told_beside_the_right_one(learner):
    verdict = learner.saves(swapped(MASK, MASK.replace("tokens, tokens", "tokens, tokens + 1")))
    assert short(verdict) == ("failed", "causal_mask(1) has shape (1, 2), not (1, 1).")


def test_a_wrong_dtype_is_told_beside_the_right_one(learner):
    verdict = learner.saves(swapped(MASK, MASK.replace("torch.bool", "torch.uint8")))
    assert short(verdict) == ("failed", "causal_mask(1) has dtype uint8, not bool.")


def test_nan_is_called_by_its_name(learner):
    verdict = learner.saves(swapped(FILL, FILL + " * torch.nan"))
    assert verdict.verdict == "failed" and "holds NaN (not a number)" in verdict.message
    assert "nan" in verdict.got


# Exceptions.


def test_an_exception_is_told_with_the_learners_line(learner):
    wrong = "return torch.zeros(tokens, tokens)[tokens + 5]"
    verdict = learner.saves(swapped(MASK, wrong))
    assert verdict.verdict == "failed" and verdict.message.startswith("Your code raises IndexError: index ")
    assert where(verdict) == (line_of(SOLUTION, MASK), wrong)


def test_an_exception_at_import_is_told_with_its_line(learner):
    verdict = learner.saves(SOLUTION + "\ncausal_mask(3) @ None\n")
    assert verdict.verdict == "error" and verdict.message.startswith("Importing your file raises TypeError: ")
    assert where(verdict)[1] == "causal_mask(3) @ None"


def test_a_module_without_forward_is_wrong_and_not_merely_not_started(learner):
    verdict = learner.saves(swapped("def forward(", "def forwards("))
    assert (verdict.verdict, verdict.step) == ("failed", 4)
    assert 'missing the required "forward" function' in verdict.message


def test_an_own_not_implemented_error_is_wrong_and_not_merely_not_started(learner):
    verdict = learner.saves(swapped(MASK, 'raise NotImplementedError("later")'))
    assert short(verdict) == ("failed", "Your code raises NotImplementedError: later")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("KeyboardInterrupt", ("error", "Your code ends the program: it raises KeyboardInterrupt.")),
        ("GeneratorExit", ("failed", "Your code raises GeneratorExit.")),
        ("BaseException", ("failed", "Your code raises BaseException.")),
    ],
)
def test_an_exception_that_ends_programs_is_no_pass(learner, kind, said):
    verdict = learner.saves(swapped(MASK, f"raise {kind}"))
    assert short(verdict) == said
    assert "dojo" not in verdict.output


# Programs that end too early.


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("__import__('sys').exit(0)", "Your file ends the program while it is imported (sys.exit?)."),
        ("__import__('os')._exit(0)", "(os._exit?). It happened while the file was imported."),
    ],
)
def test_ending_the_program_at_import_is_no_pass(learner, call, said):
    verdict = learner.saves(f"{SOLUTION}\n{call}\n")
    assert verdict.verdict == "error" and verdict.message.endswith(said)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("__import__('sys').exit(0)", "Your code ends the program (sys.exit?)."),
        ("__import__('os')._exit(0)", "Your code ended the program before there was a verdict (os._exit?)."),
        ("__import__('os').kill(__import__('os').getpid(), 11)", "Your code crashed Python itself (SIGSEGV)."),
        ("__import__('os').closerange(3, 99)", "Your code ended the program before there was a verdict (os._exit?)."),
    ],
)
def test_ending_the_program_in_a_function_is_no_pass(learner, call, said):
    verdict = learner.saves(body("causal_mask", call))
    assert short(verdict) == ("error", said)
    assert verdict.claim.startswith("causal_mask is True exactly where")
    assert [step.status for step in verdict.steps] == ["failed", *["not_reached"] * 3]


def test_code_that_dies_while_the_mistake_is_looked_for_is_judged_all_the_same(learner):
    wrong = swapped(MASK, MASK.replace("diagonal=1", "diagonal=0"))
    verdict = learner.saves(body("masked_softmax", "__import__('os')._exit(0)", text=wrong))
    assert short(verdict) == ("failed", "causal_mask(1) has wrong values.") and not verdict.diagnosis


# Too much of something.

ENDLESS = "ran for more than 1 seconds without coming to an end: an endless loop?"
STOPPED = "Your code did not come to an end and had to be stopped: an endless loop?"


@INTERRUPTED
def test_an_endless_loop_at_import_is_stopped(hasty):
    text = SOLUTION + "\nwhile True:\n    pass\n"
    verdict = hasty.saves(text)
    assert short(verdict) == ("error", f"Importing your file {ENDLESS}")
    assert where(verdict)[0] in (line_of(text, "while True"), line_of(text, "while True") + 1)


@INTERRUPTED
def test_an_endless_loop_in_a_function_is_stopped(hasty):
    verdict = hasty.saves(body("causal_mask", "while True:", "    tokens += 1"))
    assert short(verdict) == ("error", f"Your code {ENDLESS}")
    assert verdict.claim.startswith("causal_mask is True exactly where")


@INTERRUPTED
def test_what_was_wrong_before_an_endless_loop_stands(hasty):
    text = swapped("-torch.inf", "-9.0", body("masked_softmax", "while scores.abs().max() > 1000:", "    pass"))
    verdict = hasty.saves(text)
    assert verdict.verdict == "failed" and "weight of exactly 0" in verdict.claim
    assert [claim.status for claim in verdict.steps[1].properties] == [
        "failed",
        "failed",
        "failed",
    ]  # the third is endless


def test_a_loop_that_swallows_every_exception_is_stopped(hasty):
    loop = ["while True:", "    try:", "        tokens += 1", "    except BaseException:", "        pass"]
    verdict = hasty.saves(body("causal_mask", *loop))
    assert short(verdict) in [("error", STOPPED), ("error", f"Your code {ENDLESS}")]  # it may be hit outside the try


def test_a_loop_in_which_no_python_runs_is_stopped(hasty):
    assert short(hasty.saves(body("causal_mask", "sum(iter(int, 1))"))) == ("error", STOPPED)


@INTERRUPTED
def test_sleeping_forever_is_stopped(hasty):
    verdict = hasty.saves(body("causal_mask", "import time", "time.sleep(1e6)"))
    assert short(verdict) == ("error", f"Your code {ENDLESS}")


def test_sleeping_through_every_exception_is_stopped(hasty):
    loop = ["import time", "while True:", "    try: time.sleep(1e6)", "    except BaseException: pass"]
    assert short(hasty.saves(body("causal_mask", *loop))) == ("error", STOPPED)


@pytest.mark.parametrize("call", ["torch.zeros(10**13)", "[0] * 10**13", "bytearray(10**13)"])
def test_too_much_memory_is_told(learner, call):
    verdict = learner.saves(body("causal_mask", call))
    assert short(verdict) == ("error", "Your code asks for more memory than it may have.")
    assert where(verdict)[1] == call


def test_too_much_memory_at_import_is_told(learner):
    verdict = learner.saves(SOLUTION + "\nlarge = torch.zeros(10**13)\n")
    assert short(verdict) == ("error", "Importing your file takes more memory than it may.")


def test_a_flood_of_output_is_stopped_and_cut(learner):
    verdict = learner.saves(body("causal_mask", "while True:", "    print('flood ' * 1000)"))
    assert short(verdict) == ("error", "Your code prints without end: more than 1,000,000 characters.")
    assert verdict.output.startswith("flood flood") and len(verdict.output) <= 4000


# Output and input.


def test_what_the_code_prints_is_shown_cut_to_size(learner):
    text = body("causal_mask", "print('mask ·', tokens)", "print('more')", text=STEP_1) + "\nprint('hello ' * 99)\n"
    verdict = learner.saves(text)
    assert (verdict.verdict, verdict.step) == ("not_started", 2)
    assert verdict.output.splitlines()[:3] == ["hello " * 99, "mask · 1", "more"]
    shown = render(verdict, "Causal attention").plain
    assert "Your code printed:\n    hello" in shown and "hel…\n" in shown and "lines more" in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_what_was_printed_before_an_endless_loop_is_shown(hasty):
    loop = ["print('here')", "while True:", "    try: tokens += 1", "    except BaseException: pass"]
    assert "here" in hasty.saves(body("causal_mask", *loop)).output


def test_waiting_for_input_is_told(learner):
    verdict = learner.saves(SOLUTION + "\nname = input('Your name? ')\n")
    assert verdict.verdict == "error" and "your code waits for input" in verdict.message
    assert where(verdict)[1] == "name = input('Your name? ')"


# What is not allowed.

Q = "*[torch.ones(1, 1, 2)] * 3"
BANNED = {
    "plain": [f"nn.functional.scaled_dot_product_attention({Q})"],
    "swallowed": [f"try: nn.functional.scaled_dot_product_attention({Q})", "except BaseException: pass"],
    "alias": ["sdpa = getattr(nn.functional, 'scaled_dot' + '_product_attention')", f"sdpa({Q})"],
    "operation": [f"torch.ops.aten.scaled_dot_product_attention({Q})"],
    "module": [f"nn.MultiheadAttention(2, 1)({Q})"],
}


@pytest.mark.parametrize("lines", BANNED.values(), ids=BANNED.keys())
def test_a_banned_call_is_refused_with_the_reason(learner, lines):
    verdict = learner.saves(body("causal_mask", *lines))
    assert (verdict.verdict, verdict.step) == ("refused", 1)
    assert re.fullmatch(r"Your code calls `\w+attention\w*`, which this kata does not allow: .+", verdict.message)


def test_a_subclass_of_a_banned_module_is_refused(learner):
    mine = "\n\nclass Mine(nn.Dropout):\n    def forward(self, x):\n        return super().forward(x) * 1\n"
    verdict = learner.saves(swapped(DROP, "return Mine(rate)(x)") + mine)
    assert (verdict.verdict, verdict.step) == ("refused", 3)
    assert verdict.message.startswith("Your code calls `dropout`, which this kata does not allow")


SLUG = "solutions.k05_causal_attention.causal_attention"
FILE = "solutions/k05_causal_attention/causal_attention.py"
LOADED = "_dojo_reference.k05_causal_attention.causal_attention"  # where the judge keeps it
READS = "Your file reads the reference solutions. They are for comparing, after you have passed."


@pytest.mark.parametrize(
    "code",
    [
        f"from {SLUG} import causal_mask",
        f"import {SLUG}",
        f"causal_mask = __import__('importlib').import_module('{SLUG}').causal_mask",
        f"exec(open('{FILE}').read())",
        f"exec(__import__('pathlib').Path({str(ROOT / FILE)!r}).read_bytes())",
        "open('tests/mistakes/k05_causal_attention.py')",
        "open('tests/alternatives/k05_causal_attention/mask_on_the_fly.py')",
        "open('tests/verdicts/k05_causal_attention/right_in_another_style/causal_attention.py')",
        "import os; os.chdir('solutions/k05_causal_attention'); open('causal_attention.py')",
        "import sys; sys.path.insert(0, 'solutions/k05_causal_attention'); import causal_attention",
        "import sys; sys.path.insert(0, 'solutions'); from k05_causal_attention.causal_attention import *",
        f"import runpy; globals().update(runpy.run_path('{FILE}'))",
        f"import runpy; runpy.run_module('{SLUG}')",
        f"import linecache; exec(''.join(linecache.getlines('{FILE}')))",
        f"import pkgutil; causal_mask = pkgutil.resolve_name('{SLUG}:causal_mask')",
        f"import shutil; shutil.copy('{FILE}', '/tmp/copy.py')",
        f"import os; os.link('{FILE}', '/tmp/linked.py')",
        f"import os; os.system('cat {FILE}')",
        f"import subprocess; subprocess.run(['cat', {str(ROOT / FILE)!r}])",
        f"import subprocess; subprocess.run('git show HEAD:{FILE}', shell=True)",
        f"from importlib.machinery import SourceFileLoader as Load; Load('a', '{FILE}').load_module()",
        f"import sys; causal_mask = sys.modules['{LOADED}'].causal_mask",
        f"from {LOADED} import causal_mask",
        f"import {LOADED} as solved; globals().update(vars(solved))",
        f"import inspect, sys; inspect.getsource(sys.modules['{LOADED}'])",
        f"exec('import {LOADED} as solved; solved.causal_mask', {{}})",
        "from _dojo_reference.k06_multi_head_attention.multi_head_attention import *",
    ],
)
def test_reading_the_reference_solutions_is_refused(learner, code):
    verdict = learner.saves(f"{STUB}\n{code}\n")
    assert short(verdict) == ("refused", READS) and where(verdict)[1] == code


def test_reading_the_reference_solutions_in_a_function_is_refused(learner):
    verdict = learner.saves(swapped(MASK, f"from {SLUG} import causal_mask as solved; return solved(tokens)"))
    assert short(verdict) == ("refused", READS) and verdict.step == 1


def test_the_solution_that_a_law_holds_is_not_to_be_had_from_its_frames(learner):
    walk = [
        "import sys",
        "frame = sys._getframe()",
        "while 'reference' not in frame.f_locals: frame = frame.f_back",
        "return frame.f_locals['reference'].causal_mask(tokens)",
    ]
    assert short(learner.saves(body("causal_mask", *walk))) == ("refused", READS)


@pytest.mark.parametrize("call", ["get_objects()", "get_referrers(torch.triu)", "get_referents(torch.triu)"])
def test_looking_for_the_solution_in_all_of_memory_is_refused(learner, call):
    verdict = learner.saves(body("causal_mask", f"__import__('gc').{call}"))
    assert verdict.verdict == "refused" and verdict.message.startswith("Your code looks through all objects in memory")


def test_files_and_programs_of_ones_own_may_be_used(learner, tmp_path):
    (tmp_path / "solutions").mkdir()
    own = tmp_path / "solutions" / "mine.txt"
    own.write_text("mine")
    lines = [
        f"open({str(own)!r}).close()",
        f"__import__('subprocess').run(['cat', {str(own)!r}])",
        "__import__('gc').collect()",
    ]
    verdict = learner.saves(body("causal_mask", *lines, text=STEP_1))
    assert (verdict.verdict, verdict.step) == ("not_started", 2), verdict.message


# Settings and processes left behind.


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("torch.set_default_dtype(torch.float64)", "the default dtype was left at torch.float64"),
        ("torch.set_grad_enabled(False)", "gradient mode was left at False"),
        ("__import__('os').chdir('/')", "the working directory was left at /"),
        ("torch.set_num_threads(2)", "the number of threads was left at 2"),
    ],
)
@pytest.mark.parametrize("place", ["function", "import"])
def test_a_setting_left_changed_is_put_back_and_named(learner, line, said, place):
    text = body("causal_mask", line, text=STEP_1) if place == "function" else f"{STEP_1}\n{line}\n"
    verdict = learner.saves(text)
    assert (verdict.verdict, verdict.step) == ("not_started", 2), verdict.message
    assert verdict.notes == [f"Your code changed a setting for everyone: {said}. It was put back."]


SLEEP = "__import__('time').sleep(9999)"


@pytest.mark.parametrize(
    "code",
    [
        f"__import__('threading').Thread(target=lambda: {SLEEP}).start()",
        "__import__('subprocess').Popen(['sleep', '9999'])",
        pytest.param(f"if __import__('os').fork() == 0: {SLEEP}", marks=FORKING),
        pytest.param(
            f"if __import__('os').fork() == 0: __import__('os').setsid(); {SLEEP.replace('9999', '90')}", marks=FORKING
        ),
        pytest.param("__import__('os').fork()", marks=FORKING),
    ],
    ids=["thread", "process", "fork", "fork into a session of its own", "fork that goes on"],
)
def test_what_is_left_running_does_not_hold_up_the_judge(learner, code):
    verdict = learner.saves(f"{STEP_1}\n{code}\n")  # a judge that waited for it would say that it does not end
    assert (verdict.verdict, verdict.step) == ("not_started", 2), verdict.message


def test_the_judge_still_serves_after_all_that(learner):
    assert learner.saves(STUB).verdict == "not_started"
    verdict = learner.saves(swapped(WEIGHTS, "weights = softmax(scores)"))
    assert [one.name for one in verdict.diagnosis] == ["attention without a mask"]


@FORKING
def test_forking_for_ever_is_refused(learner):
    verdict = learner.saves("import os\nwhile True:\n    os.fork()\n")
    assert (verdict.verdict, verdict.message) == ("refused", "Your code starts one process after another.")
