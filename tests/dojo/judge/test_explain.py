"""What a failure becomes: its message in good grammar, the line that is shown, what is missing."""

import warnings
from types import ModuleType, SimpleNamespace

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.judge import explain
from dojo.judge.explain import _definition, _what_is_wrong
from dojo.judge.index import IndexUnusable
from dojo.judge.run import KataRun
from dojo.sandbox.calls import Calls
from dojo.sandbox.loader import Workspace
from dojo.sandbox.subject import Subject
from dojo.spec import check
from dojo.spec.check import Mismatch
from dojo.spec.errors import Missing

from ..learners import K05, SOLUTION
from ..trees import ROOT

ANYBODY = SimpleNamespace(filename="learner.py")


def mismatch(call) -> Mismatch:
    with pytest.raises(Mismatch) as caught:
        call()
    return caught.value


def message(problem: str, got=None, want=None) -> str:
    return _what_is_wrong(ANYBODY, Mismatch(problem, got, want))


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("the logits after 1 tokens has wrong values", "The logits after 1 token have wrong values."),
        (
            "the context of 1 tokens, with block = 1, has wrong values",
            "The context of 1 token, with block = 1, has wrong values.",
        ),
        ("the context of 11 tokens has wrong values", "The context of 11 tokens has wrong values."),
        ("torch's next random numbers has wrong values", "torch's next random numbers have wrong values."),
        ("the loss has wrong values", "The loss has wrong values."),
        ("the bias has shape (1,), not (2,)", "The bias has shape (1,), not (2,)."),
        ("the weights is None: is a `return` missing?", "The weights are None: is a `return` missing?"),
    ],
)
def test_a_message_is_in_good_grammar(problem, text):
    assert message(problem) == text


def test_a_gradient_that_is_not_there_is_no_missing_return():
    error = mismatch(lambda: check.present(None, "the gradient of `x`"))
    assert _what_is_wrong(ANYBODY, error) == "The gradient of `x` is None: was it cleared, or did none arrive?"
    error = mismatch(lambda: check.present(None, "gelu(x)"))
    assert _what_is_wrong(ANYBODY, error) == "gelu(x) is None: is a `return` missing?"


def test_another_dtype_is_said_beside_wrong_values():
    want = torch.ones(2, dtype=torch.float64)
    error = mismatch(lambda: check.equal(torch.full((2,), 1.5), want, "the result"))
    assert _what_is_wrong(ANYBODY, error) == "The result has wrong values, and dtype float32, not float64."


def test_a_name_error_where_another_error_belongs_is_said_once():
    def learners():
        undefined  # noqa: B018, F821

    error = mismatch(lambda: check.raises(ValueError, learners))
    assert _what_is_wrong(ANYBODY, error) == "Your code raises NameError: name 'undefined' is not defined"


# Names that are missing.


def subject(source: str, contract: str) -> Subject:
    """A module under test, and the contract that its names are compared with."""
    modules = []
    for name, text in (("learner", source), ("reference", contract)):
        module = ModuleType(name)
        exec(compile(text, f"{name}.py", "exec"), vars(module))  # noqa: S102
        modules.append(module)
    return Subject(modules[0], "learner.py", source, K05, calls=Calls(contract=modules[1]))


CONTRACT = "def gelu(x): pass\nclass GELU: pass\ndef split_heads(x): pass\ndef merge_heads(x): pass\nPAD = -1\n"


@pytest.mark.parametrize(
    ("source", "name", "text"),
    [
        ("def gelu(x): pass", "GELU", "There is no class `GELU` in your file."),
        ("class GELU: pass", "gelu", "There is no function `gelu` in your file."),
        ("class Gelu: pass", "GELU", "There is no class `GELU` in your file. There is `Gelu`: is it misnamed?"),
        ("def merge_heads(x): pass", "split_heads", "There is no function `split_heads` in your file."),
        (
            "def split_head(x): pass",
            "split_heads",
            "There is no function `split_heads` in your file. There is `split_head`: is it misnamed?",
        ),
        ("def gelu(x): pass", "PAD", "There is no constant `PAD` in your file."),
    ],
)
def test_a_missing_name_is_taken_for_nothing_of_another_kind(source, name, text):
    with pytest.raises(Missing) as caught:
        getattr(subject(source, CONTRACT), name)
    assert str(caught.value) == text


# The line.


def test_the_line_is_that_of_what_the_failing_claim_used(tmp_path):
    file = tmp_path / "causal_attention.py"
    file.write_text(SOLUTION.replace("/ (1 - rate)", "/ rate"), encoding="utf-8")
    run = KataRun(K05, Workspace(Catalog(ROOT)), file)
    verdict = run.run()
    assert verdict.step == 3 and verdict.where is not None and "def dropout" in verdict.where.code


def verdict_on(text, tmp_path):
    file = tmp_path / "causal_attention.py"
    file.write_text(text, encoding="utf-8")
    run = KataRun(K05, Workspace(Catalog(ROOT)), file)
    return run.run()


@pytest.mark.parametrize(
    "before, after, line",
    [
        ("query @ key.transpose", "query @ value.transpose", "def forward("),
        ('self.register_buffer("mask"', 'self.register_buffer("mask_"', "self.mask"),
        (
            "self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)",
            "self.W_query = nn.Linear(d_in, d_out)",
            "def __init__(",
        ),
    ],
)
def test_in_a_class_the_line_is_that_of_the_method_or_of_the_error(tmp_path, before, after, line):
    assert before in SOLUTION
    verdict = verdict_on(SOLUTION.replace(before, after), tmp_path)
    assert verdict.verdict == "failed" and verdict.where is not None and line in verdict.where.code


def test_the_line_is_theirs_where_their_code_raised_and_a_claim_went_on(tmp_path):
    k03 = Catalog(ROOT).find("3")
    text = k03.solution.read_text(encoding="utf-8")
    changed = text.replace("if T > context_length", "if T >= context_length")
    assert changed != text
    file = tmp_path / "embeddings.py"
    file.write_text(changed, encoding="utf-8")
    verdict = KataRun(k03, Workspace(Catalog(ROOT)), file).run()
    assert "refused" in verdict.message and verdict.where is not None and "raise ValueError" in verdict.where.code


def test_what_explaining_runs_is_not_heard(tmp_path, capfd, monkeypatch):
    class Loud:
        def __init__(self, *arguments):
            print("from a known mistake")
            warnings.warn("from another", stacklevel=1)
            raise IndexUnusable("there is none")

    monkeypatch.setattr(explain, "MistakeMatcher", Loud)
    monkeypatch.setattr(explain, "load_index", lambda kata: None)
    verdict = verdict_on(SOLUTION.replace("diagonal=1", "diagonal=0"), tmp_path)
    assert verdict.verdict == "failed" and verdict.notes == ["there is none"]
    assert capfd.readouterr() == ("", "")


def test_of_several_definitions_the_one_spoken_of_is_shown():
    module = subject("def first(): pass\n\n\ndef second(): pass\n", "")
    assert _definition(module, {"first", "second"}, Mismatch("second(x) has wrong values")) == 4
    assert _definition(module, {"second"}, Mismatch("the result has wrong values")) == 4
    assert _definition(module, {"first", "second"}, Mismatch("the result has wrong values")) is None
