"""The lines to be pasted: values as they were at the call, the object's own calls before it, nothing untrue."""

from types import SimpleNamespace

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.judge.example import calls_of, decisive, pasted
from dojo.judge.run import KataRun
from dojo.sandbox.calls import Calls
from dojo.sandbox.loader import Workspace
from dojo.spec import claim
from dojo.spec.show import literal

from ..trees import ROOT


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([[0.1, -2.0], [1e-9, 3.25]]),
        torch.tensor([1, 2]),
        torch.tensor([[True, False]]),
        torch.tensor([0.1 + 0.2], dtype=torch.float64),
        torch.tensor([float("inf"), -float("inf")]),
        torch.zeros(2, 0),
        torch.tensor(0.5),
        torch.linspace(-1, 2, 24).reshape(3, 4, 2).sin(),
        (0.8, 0.9),
        [[1], ["a\n"]],
        {"a": b"\x00", 1: None},
        torch.bfloat16,
    ],
    ids=repr,
)
def test_a_literal_gives_the_value_back(value):
    back = eval(literal(value))
    if isinstance(value, torch.Tensor):
        assert back.dtype == value.dtype and torch.equal(back, value)
    else:
        assert back == value


def test_a_large_tensor_is_not_passed_off_as_written_out():
    text = literal(torch.randn(20, 20))
    assert text.startswith("torch.randn(20, 20)") and "too large" in text


def test_a_generator_is_stated_only_where_nothing_was_drawn():
    generator = torch.Generator().manual_seed(3)
    assert literal(generator) == "torch.Generator().manual_seed(3)"
    torch.rand(1, generator=generator)
    assert literal(generator) is None


def verdict_of(tmp_path, code, old, new):
    kata = next(kata for kata in Catalog(ROOT).katas if kata.code == code)
    text = kata.solution.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file = tmp_path / f"{kata.name}.py"
    file.write_text(text.replace(old, new), encoding="utf-8")
    run = KataRun(kata, Workspace(Catalog(ROOT)), file)
    run.diagnoses = False
    if run.load():
        run.run()
    return run.verdict


def test_the_call_can_be_made_as_it_stands(tmp_path):
    verdict = verdict_of(tmp_path, "k05", "diagonal=1", "diagonal=0")
    assert verdict.calls == ["causal_mask(1)"]


def test_an_object_is_made_first_and_its_values_have_lines(tmp_path):
    verdict = verdict_of(tmp_path, "k07", "self.weight * normalised + self.bias", "self.weight * normalised")
    lines = "\n".join(verdict.calls)
    assert "norm = LayerNorm(" in lines and "x = torch.tensor(" in lines and lines.endswith("\nnorm(x)")


def test_a_table_of_tokens_does_not_fill_the_screen(tmp_path):
    verdict = verdict_of(tmp_path, "k01", "[bytes([byte]) for byte in piece]", "list(piece)")
    lines = "\n".join(verdict.calls)
    assert len(lines) < 400 and lines.startswith("ranks = ") and lines.endswith("ranks=ranks)")
    table = eval(verdict.calls[0].removeprefix("ranks = "))
    assert len(table) > 256 and {token for token in table if len(token) == 1} == {bytes([b]) for b in range(256)}


def test_of_many_tensors_the_shapes_are_lines_that_python_takes(tmp_path):
    copied = "            part.copy_(values)\n"
    untied = copied + "    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())\n"
    verdict = verdict_of(tmp_path, "k22", copied, untied)
    given = next(line for line in verdict.calls if line.startswith("weights = "))
    assert given.endswith("  # of these shapes; too large to be written out") and given.count("#") == 1
    weights = eval(given.removeprefix("weights = "))
    assert next(part for name, part in weights.items() if name.endswith("wte.weight")).ndim == 2
    assert verdict.where.code.startswith("def load_gpt2(")  # and not its decorator


def test_values_are_those_at_the_call_not_those_after_it():
    subject = SimpleNamespace(calls=Calls())
    subject.double = subject.calls._watched(lambda x: 2 * x, "double")

    def law(kata):
        x = torch.tensor([1.0, 2.0], dtype=torch.float32)
        kata.double(x)
        x.fill_(99)

    made = claim(step=1)(law).claim
    calls = calls_of(made, subject, None, made.drawn[0])
    assert pasted(calls, None, None, torch.float32) == ["x = torch.tensor([1.0, 2.0])", "double(x)"]


def test_where_the_code_raises_its_call_is_shown(tmp_path):
    verdict = verdict_of(tmp_path, "k08", "0.5 * x * (1", "None * x * (1")
    assert "raises" in verdict.message and verdict.calls[-1] == "gelu(x)"
    assert verdict.calls[0].startswith("x = torch.tensor(")


def test_what_cannot_be_compared_as_one_is_looked_for_entry_by_entry():
    maps, empty = [torch.ones(2), torch.zeros(2)], torch.empty(2, device="meta")
    calls = [SimpleNamespace(result=result) for result in (maps, [torch.zeros(2)], empty, torch.ones(2))]
    assert decisive(calls, [torch.ones(2), torch.zeros(2)]) == 0
    assert decisive(calls, torch.empty(2, device="meta")) == 2
    assert decisive(calls, None) == 3


def test_names_that_only_a_claim_has_are_not_shown(tmp_path):
    verdict = verdict_of(tmp_path, "k08", "0.5 * x * (1", "None * x * (1")
    assert "further" not in verdict.example
