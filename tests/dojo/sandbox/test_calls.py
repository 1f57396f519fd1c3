"""What a law's calls reach the code under test like: in other layouts, after other calls, in the contract's order."""

from types import ModuleType

import pytest
import torch
from torch import nn

from dojo.sandbox.calls import Calls, laid_out
from dojo.spec.conditions import FACTORS, Conditions
from dojo.spec.errors import Refused


def module_of(text):
    module = ModuleType("learned")
    exec(text, module.__dict__)
    return module


@pytest.fixture
def code():
    """A watched module of a text, and how its calls are made."""

    def make(text, contract=None):
        module, calls = module_of(text), Calls(module_of(contract) if contract else None)
        calls.watch(module)
        return module, calls

    return make


@pytest.mark.parametrize("layout", FACTORS["layout"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (0, 2)])
def test_a_layout_changes_nothing_but_the_layout(layout, shape):
    tensor = torch.randn(shape)
    other = laid_out(tensor, layout)
    assert torch.equal(other, tensor) and other.dtype == tensor.dtype and other.shape == tensor.shape
    if layout == "cut" and tensor.ndim and tensor.numel():
        assert not other.is_contiguous() and other.stride(-1) == 2


def test_what_is_no_plain_tensor_stays_itself():
    parameter = nn.Parameter(torch.ones(2, 3))
    assert all(laid_out(value, "transposed") is value for value in (parameter, "text", None, 7, [torch.ones(2, 3)]))


def test_tensors_arrive_in_the_layout_and_gradients_in_another(code):
    module, calls = code("seen = []\ndef double(x):\n    seen.append(x.stride())\n    return x * 2\n")
    x = torch.ones(2, 3, requires_grad=True)
    arriving = []
    with calls.under(Conditions(layout="transposed")):
        result = module.double(x)
    result.register_hook(lambda gradient: arriving.append(gradient.stride()))
    result.sum().backward()
    assert module.seen == [(1, 2)] and torch.equal(x.grad, torch.full((2, 3), 2.0))
    assert Conditions(layout="transposed").gradients == "permuted" and Conditions().gradients == "contiguous"


def test_earlier_calls_have_other_values_and_other_shapes(code):
    module, calls = code("seen = []\ndef double(x):\n    seen.append(x.clone())\n    return x * 2\n")
    x = torch.arange(3.0)
    with calls.under(Conditions(earlier="other calls")):
        assert torch.equal(module.double(x), x * 2)
    assert [len(seen) for seen in module.seen] == [3, 2, 3] and not torch.equal(module.seen[0], x)


def test_earlier_calls_leave_no_trace_outside_of_the_code(code):
    module, calls = code(
        "import torch\ndef noise(x, generator=None):\n    return x + torch.rand(3, generator=generator)\n"
    )
    for generator in (None, torch.Generator()):
        results = []
        for earlier in FACTORS["earlier"]:
            torch.manual_seed(0) if generator is None else generator.manual_seed(0)
            with calls.under(Conditions(earlier=earlier)):
                results.append(module.noise(torch.zeros(3), generator))
        assert torch.equal(*results)


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit", "Own"])
def test_errors_of_earlier_calls_are_not_the_laws(code, kind):
    text = f"class Own(BaseException): pass\ndef whole(x):\n    if len(x) < 3: raise {kind}('short')\n    return x\n"
    module, calls = code(text)
    with calls.under(Conditions(earlier="other calls")):
        assert len(module.whole(torch.ones(3))) == 3


def test_what_ends_a_check_ends_it_in_an_earlier_call_too(code):
    module, calls = code("def cheat(x):\n    raise error\n")
    module.error = Refused("no")
    with pytest.raises(Refused), calls.under(Conditions(earlier="other calls")):
        module.cheat(torch.ones(3))


CONTRACT = "def scale(x, factor, shift=0):\n    pass\n"


@pytest.mark.parametrize(
    ("signature", "arguments", "right"),
    [
        ("x, factor, shift=0", "by position", True),
        ("x, factor, shift=0", "by keyword", True),
        ("x, shift, factor", "by position", False),  # exchanged
        ("x, shift, factor", "by keyword", True),
        ("values, by, plus=0", "by keyword", True),  # renamed: then they are not named
        ("*, x, factor, shift=0", "by keyword", True),
    ],
)
def test_arguments_come_in_the_order_of_the_contract(code, signature, arguments, right):
    names = [part.split("=")[0] for part in signature.replace("*, ", "").split(", ")]
    terms = dict(zip(("x", "factor", "shift"), names)) if names[0] == "values" else {n: n for n in names}
    body = f"    return {terms['x']} * {terms['factor']} + {terms['shift']}\n"
    module, calls = code(f"def scale({signature}):\n{body}", CONTRACT)
    with calls.under(Conditions(arguments=arguments)):
        positional = (torch.full((1,), 3.0),) if "*" not in signature else ()
        named = {"x": torch.full((1,), 3.0)} if "*" in signature else {}
        if names[0] == "values":
            result = module.scale(*positional, 5, 2)
        else:
            result = module.scale(*positional, **named, factor=5, shift=2)
    assert (result.item() == 17) is right


def test_calls_of_the_codes_own_functions_are_its_own_business(code):
    module, calls = code("def inner(x):\n    return x\ndef outer(x):\n    return inner(x)\n")
    with calls.logged() as log:
        module.outer(torch.ones(2))
    assert [call.name for call in log] == ["outer"] and log[0].parameter(0) == "x"


def test_a_log_tells_with_what_a_module_was_made(code):
    text = "from torch import nn\nclass Half(nn.Module):\n    def __init__(self, by):\n        super().__init__()\n"
    module, calls = code(text + "    def forward(self, x):\n        return x / 2\n")
    half = module.Half(by=2)
    with calls.logged() as log:
        half(torch.ones(2))
    assert [(call.name, call.made_with) for call in log] == [("Half.forward", ((), {"by": 2}))]
