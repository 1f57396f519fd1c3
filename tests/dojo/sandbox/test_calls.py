"""What a law's calls reach the code under test like: in other layouts, after other calls, in the contract's order."""

import dataclasses
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from dojo.sandbox.calls import Calls, laid_out
from dojo.spec import check, claim, randomise, sizes
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
    equal = torch.ones(shape)
    assert torch.equal(laid_out(equal, layout), equal)


def test_what_is_cut_is_expanded_where_its_rows_are_equal():
    equal = torch.arange(3).repeat(2, 1)
    assert laid_out(equal, "cut").stride() == (0, 1) and laid_out(equal[:1], "cut").stride(-1) == 2


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
    assert Conditions(layout="transposed").arriving == "permuted" and Conditions().arriving == "contiguous"


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
    names = []
    with calls.made_by(lambda make, function, name, *call: names.append(name) or make(function, name, *call)):
        module.outer(torch.ones(2))
    assert names == ["outer"]


def test_calls_can_be_made_in_another_way_meanwhile(code):
    module, calls = code("def inner(x):\n    return x\ndef outer(x):\n    return inner(x)\n")
    with calls.made_by(lambda make, function, name, positional, named: (name, make(function, name, (2,), {}))):
        assert module.outer(1) == ("outer", 2)
        with calls.made_by(lambda make, *call: -make(*call)[1]):  # the last hook is the outermost
            assert module.outer(1) == -2
    assert module.outer(1) == 1


# Modules: in eval mode, in a copy, without gradients.

TWICE = """
import torch
from torch import nn

from functools import partial

def linear(weight, bias, x):
    return x @ weight.T + bias

class Hook:
    def __init__(self, layer):
        self.call = lambda module, given, output: linear(layer.weight, layer.bias, *given)

class Twice(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.first, self.second = nn.Linear(size, size), nn.Linear(size, size)
        self.layers = [self.first, self.second]
        INIT
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
"""


@claim(step=1, size=sizes("B D"))
def twice(kata, size):
    """Two linear layers, one after the other."""
    module, x = kata.Twice(size.D), size.normal("B D")
    randomise(module, size)
    want = x
    for layer in (module.first, module.second):
        want = want @ layer.weight.T + layer.bias
    check.equal(module(x), want)


@pytest.mark.parametrize(
    ("old", "new", "conditions"),
    [
        ("INIT", "self.layers = [lambda x, own=layer: own(x) for layer in self.layers]", "in a copy of the module"),
        (
            "INIT",
            "self.layers[1] = partial(linear, self.second.weight.data, self.second.bias)",
            "in a copy of the module",
        ),
        ("INIT", "self.second.register_forward_hook(Hook(self.second).call)", "in a copy of the module"),
        ("        return x", "        return x if self.training else x / 2", "in eval mode"),
        ("        return x", "        x.register_hook(lambda grad: grad)\n        return x", "under torch.no_grad()"),
        ("        return x", "        return x + len(torch.autograd.grad(x.sum(), x)) - 1", "under torch.no_grad()"),
    ],
)
def test_what_is_wrong_where_a_module_is_evaluated(code, old, new, conditions):
    module, calls = code(TWICE.replace(old, new).replace("INIT", ""))
    kata = SimpleNamespace(Twice=module.Twice, calls=calls)
    outcome = twice.claim.check(kata, None)
    assert outcome.kind != "passed" and str(outcome.example.conditions) == conditions
    without = dataclasses.replace(twice.claim, without=dict.fromkeys(("modules", "mode", "gradients"), "for once"))
    assert without.check(kata, None).kind == "passed"


def test_what_is_right_is_right_where_a_module_is_evaluated(code):
    module, calls = code(TWICE.replace("INIT", ""))
    assert twice.claim.check(SimpleNamespace(Twice=module.Twice, calls=calls), None).kind == "passed"


BACKWARD = """
import torch
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, gradient):
        return gradient.view(-1).mul(2).view(gradient.shape)
def double(x):
    return Double.apply(x)
"""


def test_a_backward_of_ones_own_that_needs_contiguous_gradients(code):
    @claim(step=1, size=sizes("B T D", B=(2, 3), T=(4, 6)))
    def law(kata, size):
        """It doubles."""
        x, probe = size.normal("B T D").requires_grad_(), size.normal("B T D", salt="probe")
        (gradient,) = torch.autograd.grad((kata.double(x) * probe).sum(), x)
        check.equal(gradient, probe * 2)

    module, calls = code(BACKWARD)
    outcome = law.claim.check(SimpleNamespace(double=module.double, calls=calls), None)
    assert outcome.kind == "raised" and "contiguous" not in str(outcome.example.conditions)


def test_a_copy_keeps_ties_and_what_the_module_was_made_with(code):
    text = (
        "from torch import nn\nclass Around(nn.Module):\n    def __init__(self, model, sizes):\n"
        "        super().__init__()\n        self.model, self.inner, self.sizes = model, list(model), sizes\n"
        "        self.head, self.own = nn.Linear(2, 2), nn.Linear(2, 2)\n        self.own.weight = self.head.weight\n"
        "        self.weight = model[0].weight\n        self.before = [self.head]\n        self.own.draws = DRAWS\n"
    )
    module, calls = code(text)
    module.DRAWS = (index for index in range(3))  # which cannot be copied
    model, sizes = nn.Sequential(nn.Linear(2, 2)), [2, 2]
    with calls.under(Conditions(modules="copied", mode="eval")):
        left = module.Around(model, sizes)
        module.DRAWS = None
        made = module.Around(model, sizes=sizes)
    assert left.own.draws is not None and left.head.weight is not None and not left.training
    assert made.model is model and made.inner[0] is model[0] and made.sizes is sizes and made.weight is model[0].weight
    assert made.own.weight is made.head.weight and made.before[0] is made.head and not made.training
    made.head.register_forward_hook(lambda *_: None)
    assert len(made.head._forward_hooks) == 1 and not made.own._forward_hooks


def test_gradients_that_a_law_asks_for_are_recorded(code):
    module, calls = code("def double(x):\n    return x * 2\n")
    with calls.under(Conditions(gradients="none")):
        assert module.double(torch.ones(2, requires_grad=True)).requires_grad
        assert not module.double(nn.Parameter(torch.ones(2))).requires_grad
