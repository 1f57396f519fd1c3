"""k17 Muon: what must be true of it."""

import io
import math
from contextlib import ExitStack, contextmanager
from importlib import import_module
from unittest import mock

import torch
from hypothesis import strategies as st
from torch import nn

from dojo.spec import OperationMode, Refused, Sizes, ban, ban_module, check, claim, oracle, sizes

DECOMPOSITIONS = (
    *("svd", "linalg_svd", "linalg_svdvals", "svd_lowrank", "pca_lowrank", "lobpcg", "linalg_lobpcg_forward"),
    *("qr", "linalg_qr", "geqrf", "linalg_eig", "linalg_eigh", "linalg_eigvals", "linalg_eigvalsh"),
    *("linalg_cholesky", "linalg_cholesky_ex", "cholesky", "lu", "linalg_lu", "linalg_lu_factor_ex", "lu_with_info"),
)
ELSEWHERE = "its decompositions are off limits, and the rest of it torch has too."
ADAM = import_module("torch.optim.adam")
ADAM_OF_TORCH = ("_single_tensor_adam", "_multi_tensor_adam", "_fused_adam")  # all of its ways to a step end in these
DOUBLE = {"dtype": "float32 rounds away what is measured"}
BANS = [
    ban(
        *DECOMPOSITIONS,
        why="Newton–Schulz does it by matrix products alone, which is what makes it fast.",
        steps=[2, 3, 4],
    ),
    ban_module("numpy", why=ELSEWHERE),  # in all steps, since most import it on top of the file
    ban_module("scipy", why=ELSEWHERE),
]
# Squares too, and a matrix of one row: `sizes` draws pairwise distinct ones.
SQUARES = st.sampled_from([Sizes({"m": 4, "n": 4}, 3), Sizes({"m": 1, "n": 3}, 5), Sizes({"m": 3, "n": 3}, 8, True)])
MATRICES = sizes("m n", m=(2, 6), n=(2, 6)) | SQUARES
ANY = ["m n", "n", "m n 2", ""]
dtypes = [torch.float64, torch.float32, torch.bfloat16]
NEAR = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 0.3}  # rounding grows with each iteration
EXACT = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 5e-2}
LARGE = 1e6  # of gradients: beside it what is added to the norm, 1e-7 at most, costs no digit of double precision
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
CUBIC = (1.5, -0.5, 0.0)
triples = [COEFFICIENTS, (2.0, -1.5, 0.5), CUBIC]
counts = st.integers(2, 4)
rates = [0.1, 0.5]
momenta = [0.5, 0.9]
decays = [0.2, 0.0]
PATIENT = 30.0  # seconds for a claim that makes an optimizer: the first in a process loads torch's compiler
LOWEST, HIGHEST = 0.68, 1.14  # what five iterations make of any value from 0.01 to 1; measured: 0.6818 to 1.1344


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def adamw_by_numbers(weight, gradient, mean, square, step, lr, betas, eps, weight_decay):
    """One step of AdamW for a single number."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient**2
    direction = mean / (1 - betas[0] ** step) / (math.sqrt(square / (1 - betas[1] ** step)) + eps)
    return weight - lr * direction - lr * weight_decay * weight, mean, square


@oracle
def pressed(matrix, steps=5, coefficients=COEFFICIENTS):
    """Singular vectors kept, each singular value taken through the polynomial by itself."""
    a, b, c = coefficients
    U, values, V = torch.linalg.svd(matrix, full_matrices=False)
    values = values / values.pow(2).sum().sqrt()
    for _ in range(steps):
        values = a * values + b * values**3 + c * values**5
    return U @ torch.diag(values) @ V


@oracle
def singular_values(matrix):
    return torch.linalg.svdvals(matrix)


@oracle
def orthogonal(size, name, salt=""):
    """A random orthogonal matrix of the size called `name`."""
    return torch.linalg.qr(size.normal(f"{name} {name}", salt=salt))[0]


def muon_by_hand(weight, gradients, **settings):
    """Weight and buffer after a step for each gradient."""
    return list(steps_by_hand(weight, gradients, **settings))[-1]


def steps_by_hand(weight, gradients, *, lr, momentum, nesterov=True, weight_decay=0.0, steps=5):
    """Weight and buffer after each step."""
    weight, buffer = weight.clone(), torch.zeros_like(weight)
    longer = math.sqrt(max(1.0, weight.shape[0] / weight.shape[1]))
    for gradient in gradients:
        buffer = momentum * buffer + gradient
        direction = gradient + momentum * buffer if nesterov else buffer
        weight = weight - lr * longer * pressed(direction, steps) - lr * weight_decay * weight
        yield weight, buffer


# --- Comparisons -----------------------------------------------------------------------------------------------


def several(got, count, what):
    """A tuple (or list) of so many tensors."""
    check.instance(got, (tuple, list), what)
    if len(got) != count:
        raise check.Mismatch(f"{what} returns {len(got)} things, not {count}", len(got), count)
    return got


@contextmanager
def without_optimizers():
    """While this lasts, nobody has torch take a step: steps 1 to 3 are about writing what it does."""

    def refuse(*_, **__):
        raise Refused("Your code has torch take a step, which is not allowed here: it is what you write.")

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(torch.optim.Optimizer, "__init__", refuse))
        for name in ADAM_OF_TORCH:
            stack.enter_context(mock.patch.object(ADAM, name, refuse))
        yield


def adamw(kata, *arguments, **options):
    with without_optimizers():
        return several(kata.adamw_step(*arguments, **options), 3, "adamw_step(…)")


def muon(kata, *arguments, **options):
    with without_optimizers():
        return several(kata.muon_step(*arguments, **options), 2, "muon_step(…)")


def same_dtype(got, like, what):
    check.tensor(got, like.shape, None, what)
    check.equal(str(got.dtype), str(like.dtype), f"the dtype of {what}")


class Sizing(OperationMode):
    """Keeps the number of entries of the largest tensor that is made while it lasts."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, result.numel())
        return result


# --- Step 1: AdamW ---------------------------------------------------------------------------------------------


@claim(
    step=1,
    examples=8,
    size=MATRICES,
    shape=ANY,
    step_number=st.integers(1, 5),
    betas=[(0.8, 0.9), (0.5, 0.99)],
    decay=decays,
    eps=[0.01, 0.5],
    double=True,
)
def test_a_step_of_adamw_follows_its_formula(kata, size, shape, step_number, betas, decay, eps):
    """adamw_step returns the weight, the mean and the square that AdamW's formula gives, number by number."""
    weight, gradient, mean = (size.normal(shape, salt=salt) for salt in ("weight", "gradient", "mean"))
    square = size.normal(shape, salt="square").abs()
    options = {"lr": 0.1, "betas": betas, "eps": eps, "weight_decay": decay}
    numbers = zip(*(tensor.flatten().tolist() for tensor in (weight, gradient, mean, square)))
    rows = [adamw_by_numbers(*four, step_number, **options) for four in numbers]
    wanted = [torch.tensor(column, dtype=weight.dtype).reshape(weight.shape) for column in zip(*rows)]
    got = adamw(kata, weight, gradient, mean, square, step_number, **options)
    for name, one, want in reversed(list(zip(("weight", "mean", "square"), got, wanted))):
        check.equal(one, want, f"the {name} after step {step_number}", weight=weight, gradient=gradient, **options)


@claim(step=1, examples=4, size=MATRICES, count=counts, decay=decays, double=True, seconds=PATIENT, without=DOUBLE)
def test_steps_of_adamw_are_those_of_torch(kata, size, count, decay):
    """Step after step, counted from 1, adamw_step goes where torch.optim.AdamW goes."""
    weight, options = size.normal("m n", salt="weight"), {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": decay}
    state, gradients = (weight, torch.zeros_like(weight), torch.zeros_like(weight)), gradients_of(size, count)
    for number, gradient in enumerate(gradients, start=1):
        state = adamw(kata, state[0], gradient, *state[1:], number, eps=1e-3, **options)
    theirs = nn.Parameter(weight.clone())
    optimizer = torch.optim.AdamW([theirs], eps=1e-3, foreach=False, **options)
    for gradient in gradients:
        theirs.grad = gradient
        optimizer.step()
    check.equal(state[0], theirs.detach(), f"the weight after {count} steps", tolerance=1e-9, **options)


@claim(step=1, examples=4, size=MATRICES, count=counts, scale=[1.0, 1e-3, 1e3], double=True)
def test_a_constant_gradient_moves_each_weight_by_the_rate(kata, size, count, scale):
    """With the same gradient each time, every number moves by the rate in every step, however large its gradient."""
    weight, gradient = size.normal("m n", salt="weight"), scale * (size.normal("m n").sign() + size.normal("m n") / 8)
    gradient = gradient + scale * (gradient == 0)
    state = weight, torch.zeros_like(weight), torch.zeros_like(weight)
    for number in range(1, count + 1):
        state = adamw(kata, state[0], gradient, *state[1:], number, lr=0.1, eps=1e-12, weight_decay=0.0)
    check.equal(state[0] - weight, -0.1 * count * gradient.sign(), f"the way after {count} steps", gradient=gradient)


@claim(step=1, examples=3, size=MATRICES, count=counts, double=True)
def test_adamw_shrinks_a_weight_without_a_gradient(kata, size, count):
    """Where the gradient is 0, each step takes rate times decay off the weight, and mean and square stay 0."""
    weight = size.normal("m n", salt="weight")
    zeros = torch.zeros_like(weight)
    state = weight, zeros, zeros
    for number in range(1, count + 1):
        state = adamw(kata, state[0], zeros, *state[1:], number, lr=0.1, weight_decay=0.5)
    check.equal(state[1], zeros, "the mean")
    check.equal(state[0], weight * (1 - 0.1 * 0.5) ** count, f"the weight after {count} steps", weight=weight)


@claim(step=1, examples=3, size=MATRICES, dtype=dtypes)
def test_adamw_keeps_the_dtype(kata, size, dtype):
    """Weight, mean and square keep their dtype, whatever torch's default is, and in double no digit is lost."""
    names = ("weight", "gradient", "mean", "square")
    given = {name: size.normal("m n", salt=name).to(dtype) for name in names}
    given["square"] = given["square"].abs()
    options = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.2}
    got = adamw(kata, **given, step=3, **options)
    numbers = zip(*(given[name].flatten().tolist() for name in names))
    wanted = zip(*(adamw_by_numbers(*four, 3, **options) for four in numbers))
    for name, one, want in zip(("weight", "mean", "square"), got, wanted):
        same_dtype(one, given["weight"], f"the {name}")
        want = torch.tensor(want, dtype=dtype).reshape(one.shape)
        check.equal(one, want, f"the {name}", tolerance=EXACT[dtype], **given)


@claim(step=1, examples=2, size=MATRICES, double=True, without=DOUBLE)
def test_adamw_has_its_usual_settings(kata, size):
    """Unless told otherwise: lr 1e-3, betas (0.9, 0.999), eps 1e-8, weight_decay 0.01."""
    weight, gradient = size.normal("m n", salt="weight"), 1e-8 * size.normal("m n", salt="gradient")
    zeros, numbers = torch.zeros_like(weight), zip(weight.flatten().tolist(), gradient.flatten().tolist())
    rows = [adamw_by_numbers(*two, 0.0, 0.0, 1, 1e-3, (0.9, 0.999), 1e-8, 0.01) for two in numbers]
    moved, mean, square = (torch.tensor(column).reshape(weight.shape) for column in zip(*rows))
    got = adamw(kata, weight, gradient, zeros, zeros, 1)
    check.equal(1e8 * got[1], 1e8 * mean, "the mean after step 1, times 1e8")
    check.equal(1e16 * got[2], 1e16 * square, "the square after step 1, times 1e16")
    check.equal(1000 * (got[0] - weight), 1000 * (moved - weight), "the way of the weight in step 1, times 1000")


# --- Step 2: Newton–Schulz -------------------------------------------------------------------------------------


@claim(
    step=2, examples=8, size=MATRICES, shape=["m n", "n m"], steps=st.integers(0, 6), coefficients=triples, double=True
)
def test_each_singular_value_goes_through_the_polynomial(kata, size, shape, steps, coefficients):
    """Singular vectors stay; each value, over the Frobenius norm, becomes a·s + b·s³ + c·s⁵ in every iteration."""
    matrix = size.normal(shape)
    steps = steps + 8 if coefficients == CUBIC else steps  # it comes to rest at 1, and still goes on
    got, want = kata.newton_schulz(matrix, steps, coefficients), pressed(matrix, steps, coefficients)
    check.equal(got, want, f"newton_schulz(matrix, {steps}, {coefficients})", matrix=matrix)
    got = kata.newton_schulz(matrix=-matrix, coefficients=coefficients, steps=steps)
    check.equal(got, -want, "newton_schulz(−matrix, …) after that", matrix=matrix)
    other = triples[triples.index(coefficients) - 1]
    got, want = kata.newton_schulz(-matrix, 2, other), pressed(-matrix, 2, other)
    check.equal(got, want, f"newton_schulz(−matrix, 2, {other}) after that", matrix=matrix)


@claim(step=2, examples=3, size=MATRICES, dtype=dtypes)
def test_newton_schulz_keeps_the_dtype(kata, size, dtype):
    """The result has the dtype of the matrix, whatever torch's default is, and in double no digit is lost."""
    matrix = size.normal("m n", scale=LARGE).to(dtype)
    got = kata.newton_schulz(matrix, 3)
    same_dtype(got, matrix, "newton_schulz(matrix, 3)")
    want = pressed(matrix.double(), 3)
    check.equal(got.double(), want, "newton_schulz(matrix, 3)", tolerance=NEAR[dtype], matrix=matrix)


@claim(step=2, examples=2, size=MATRICES, double=True)
def test_what_is_added_to_the_norm_is_tiny(kata, size):
    """What keeps zeros from NaN is at most 1e-7, so that a gradient with a norm of 0.002 is still as good as any."""
    matrix = size.normal("m n")
    matrix = 0.002 * matrix / matrix.norm()
    check.equal(kata.newton_schulz(matrix, 1), pressed(matrix, 1), "newton_schulz(matrix, 1)", tolerance=3e-4, M=matrix)


@claim(step=2, examples=5, size=MATRICES, low=[0.01, 0.1, 0.5])
def test_singular_values_are_pressed_towards_1(kata, size, low):
    """Five iterations bring all singular values between 0.68 and 1.14, if none was below 0.01 of the Frobenius norm."""
    rank = min(size.m, size.n)
    values = torch.linspace(1.0, low, rank) if rank > 1 else torch.ones(1)
    diagonal = torch.zeros(size.m, size.n)
    diagonal[range(rank), range(rank)] = values / values.norm().clamp(max=1.0 / max(low, 0.02))
    matrix = orthogonal(size, "m", "U") @ diagonal @ orthogonal(size, "n", "V")
    got = kata.newton_schulz(matrix)
    check.tensor(got, matrix.shape, matrix.dtype, "newton_schulz(matrix)")
    after = singular_values(got) if got.isfinite().all() else got
    if not (after.min() > LOWEST - 2e-3 and after.max() < HIGHEST + 2e-3):
        what = f"the singular values of newton_schulz(matrix) are not all between {LOWEST} and {HIGHEST}"
        raise check.Mismatch(what, after, given={"singular values of the matrix": values})


@claim(step=2, examples=2, size=MATRICES, double=True)
def test_newton_schulz_has_its_usual_settings(kata, size):
    """Unless told otherwise: five iterations with the coefficients 3.4445, −4.7750 and 2.0315."""
    matrix = size.normal("m n")
    check.equal(kata.newton_schulz(matrix), pressed(matrix), "newton_schulz(matrix)", matrix=matrix)


@claim(step=2, examples=8, size=MATRICES, double=True)
def test_turning_the_matrix_turns_the_result(kata, size):
    """A rotation before the iterations is the same as one after them, on either side: Q NS(M) R = NS(Q M R)."""
    matrix, Q, R = size.normal("m n"), orthogonal(size, "m", "Q"), orthogonal(size, "n", "R")
    plain = kata.newton_schulz(matrix)
    check.tensor(plain, matrix.shape, matrix.dtype, "newton_schulz(M)")
    check.equal(kata.newton_schulz(Q @ matrix @ R), Q @ plain @ R, "newton_schulz(Q M R)", M=matrix, Q=Q, R=R)


@claim(step=2, examples=8, size=MATRICES, double=True)
def test_the_transpose_gives_the_transpose(kata, size):
    """The transpose of a matrix gives the transpose of the result: wide and tall are treated alike."""
    matrix = size.normal("m n")
    plain = kata.newton_schulz(matrix)
    check.tensor(plain, matrix.shape, matrix.dtype, "newton_schulz(M)")
    check.equal(kata.newton_schulz(matrix.T), plain.T, "newton_schulz(Mᵀ)", M=matrix)


@claim(step=2, examples=5, size=MATRICES, scale=[0.01, 100.0, -1.0], double=True)
def test_the_size_of_the_matrix_plays_no_part(kata, size, scale):
    """A matrix 100 times as large, or as small, gives the same result; the negative one gives the negative."""
    matrix = size.normal("m n")
    plain = kata.newton_schulz(matrix)
    check.tensor(plain, matrix.shape, matrix.dtype, "newton_schulz(M)")
    got = kata.newton_schulz(scale * matrix)
    check.equal(got, math.copysign(1, scale) * plain, f"newton_schulz({scale:g} M)", tolerance=1e-3, M=matrix)


@claim(step=2, examples=3, size=MATRICES)
def test_zeros_stay_zeros(kata, size):
    """A matrix of zeros, which has no direction to keep, gives zeros."""
    zeros = torch.zeros(size.m, size.n)
    check.exactly(kata.newton_schulz(zeros), zeros, "newton_schulz(zeros)")


@claim(
    step=2,
    examples=2,
    shape=[(40, 2), (2, 40)],
    without={"earlier": "what earlier calls make counts too", "layout": "so does what the layout is made with"},
)
def test_no_tensor_is_larger_than_the_matrix(kata, shape):
    """The products are made on the smaller side: nothing on the way has more entries than the matrix itself."""
    matrix = torch.randn(shape)
    with Sizing() as mode:
        check.tensor(kata.newton_schulz(matrix), shape, matrix.dtype, "newton_schulz(matrix)")
    largest = mode.largest
    if largest > matrix.numel():
        raise check.Mismatch(
            f"with a matrix of shape {shape}, a tensor of {largest} entries is made", largest, matrix.numel()
        )


# --- Step 3: a step of Muon ------------------------------------------------------------------------------------


SETTINGS = [  # any two values of two settings meet
    {"lr": 0.1, "momentum": 0.5, "nesterov": False, "weight_decay": 0.2, "steps": 5},
    {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.2, "steps": 3},
    {"lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0, "steps": 3},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0, "steps": 5},
    {"lr": 0.5, "momentum": 0.5, "nesterov": False, "weight_decay": 0.0, "steps": 5},
    {"lr": 0.5, "momentum": 0.5, "nesterov": True, "weight_decay": 0.0, "steps": 3},
    {"lr": 0.5, "momentum": 0.9, "nesterov": False, "weight_decay": 0.2, "steps": 3},
    {"lr": 0.5, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2, "steps": 5},
]


def gradients_of(size, count, names="m n"):
    return [size.normal(names, salt=f"gradient {number}") for number in range(count)]


@claim(step=3, examples=8, size=MATRICES, shape=["m n", "n m"], count=counts, settings=SETTINGS, double=True)
def test_steps_of_muon_equal_the_loop(kata, size, shape, count, settings):
    """Step after step, weight and buffer are those that the formula gives."""
    start, gradients = size.normal(shape, salt="weight"), gradients_of(size, count, shape)
    weight, buffer = start, torch.zeros_like(start)
    wanted_each = steps_by_hand(start, gradients, **settings)
    for number, (gradient, wanted) in enumerate(zip(gradients, wanted_each), start=1):
        weight, buffer = muon(kata, weight, gradient, buffer, **settings)
        check.equal(buffer, wanted[1], f"the buffer after step {number}", gradient=gradient, **settings)
        check.equal(weight, wanted[0], f"the weight after step {number}", weight=start, gradient=gradient, **settings)


@claim(step=3, examples=3, size=MATRICES, dtype=dtypes)
def test_muon_keeps_the_dtype(kata, size, dtype):
    """Weight and buffer keep their dtype, whatever torch's default is, and in double no digit is lost."""
    scales = {"weight": 1.0, "gradient": LARGE}
    given = {name: size.normal("m n", salt=name, scale=scale).to(dtype) for name, scale in scales.items()}
    given["buffer"] = torch.zeros_like(given["weight"])
    got, options = muon(kata, **given, lr=0.1, momentum=0.5, steps=3), {"lr": 0.1, "momentum": 0.5, "steps": 3}
    wanted = muon_by_hand(given["weight"].double(), [given["gradient"].double()], **options)
    for name, one, want in zip(("weight", "buffer"), got, wanted):
        same_dtype(one, given["weight"], f"the {name}")
        check.equal(one.double(), want, f"the {name}", tolerance=NEAR[dtype], **given)


@claim(step=3, examples=4, size=MATRICES, count=counts, nesterov=[False, True], double=True)
def test_a_constant_gradient_gives_equal_steps(kata, size, count, nesterov):
    """With the same gradient each time, every step is the same, and the buffer is a geometric sum."""
    start, gradient = size.normal("m n", salt="weight"), size.normal("m n")
    weight, buffer = start, torch.zeros_like(start)
    for _ in range(count):
        weight, buffer = muon(kata, weight, gradient, buffer, lr=0.1, momentum=0.8, nesterov=nesterov)
    check.equal(buffer, gradient * (1 - 0.8**count) / (1 - 0.8), f"the buffer after {count} steps", gradient=gradient)
    way = -0.1 * count * math.sqrt(max(1.0, size.m / size.n)) * pressed(gradient)
    check.equal(weight - start, way, f"the way of the weight in {count} steps", tolerance=1e-4, gradient=gradient)


@claim(step=3, examples=4, size=MATRICES, double=True)
def test_a_tall_matrix_takes_longer_steps(kata, size):
    """A step is √(m/n) times as long where the matrix has more rows than columns, and only there."""
    weight, gradient = size.normal("m n", salt="weight"), size.normal("m n")
    got = muon(kata, weight, gradient, torch.zeros_like(weight), lr=1.0, momentum=0.0)[0]
    want = weight - math.sqrt(max(1.0, size.m / size.n)) * pressed(gradient)
    check.equal(got, want, "the weight after a step without momentum, at rate 1", weight=weight, gradient=gradient)


@claim(step=3, examples=3, size=MATRICES, count=counts, double=True)
def test_muon_shrinks_a_weight_without_a_gradient(kata, size, count):
    """Where gradient and buffer are 0, each step takes rate times decay off the weight, and the buffer stays 0."""
    start = size.normal("m n", salt="weight")
    zeros = torch.zeros_like(start)
    weight, buffer = start, zeros
    for _ in range(count):
        weight, buffer = muon(kata, weight, zeros, buffer, lr=0.1, weight_decay=0.5)
    check.equal(buffer, zeros, "the buffer")
    check.equal(weight, start * (1 - 0.1 * 0.5) ** count, f"the weight after {count} steps", weight=start)


@claim(step=3, examples=2, size=MATRICES, double=True)
def test_muon_has_its_usual_settings(kata, size):
    """Unless told otherwise: lr 0.02, momentum 0.95, nesterov, no weight decay, 5 iterations."""
    start, gradients = size.normal("m n", salt="weight"), gradients_of(size, 2)
    weight, buffer = start, torch.zeros_like(start)
    for gradient in gradients:
        weight, buffer = muon(kata, weight, gradient, buffer)
    wanted = muon_by_hand(start, gradients, lr=0.02, momentum=0.95)
    check.equal(buffer, wanted[1], "the buffer after 2 steps")
    check.equal(weight - start, wanted[0] - start, "the way of the weight in 2 steps")


# --- Step 4: the optimizer -------------------------------------------------------------------------------------


class Bench:
    """Parameters of several shapes, two of them alike, with a list of gradients for each."""

    def __init__(self, size, count=3, shapes=("m n", "m n", "n m")):
        self.starts = [size.normal(names, salt=f"weight {i}") for i, names in enumerate(shapes)]
        self.weights = [nn.Parameter(start.clone()) for start in self.starts]
        gradients = [gradients_of(size, count + 1, names) for names in shapes]
        self.gradients = [ones[i % 2 :][:count] for i, ones in enumerate(gradients)]  # none like another's
        self.gradients[-1][1] = torch.zeros_like(self.gradients[-1][1])  # which is not the same as none

    def run(self, optimizer, numbers, without=()):
        """Take these steps, in which the weights `without` have no gradient."""
        for number in numbers:
            for i, (weight, gradients) in enumerate(zip(self.weights, self.gradients)):
                if i in without:
                    weight.grad = None
                elif weight.grad is None:
                    weight.grad = gradients[number].clone()
                else:  # as after zero_grad(set_to_none=False): the next gradient is written into the same memory
                    weight.grad.copy_(gradients[number])
            optimizer.step()

    def compare(self, wanted, what):
        for i, (weight, want) in enumerate(zip(self.weights, wanted)):
            check.equal(weight.detach(), want, f"weight {i} {what}", weight=self.starts[i])


class Group(dict):
    """A group of parameters, which torch fills up with the settings that it lacks: it is torch that changes it."""


def make(kata, params, *more, **settings):
    optimizer = kata.Muon(iter(params), *more, **settings)  # as `model.parameters()` comes: it can be walked once
    check.instance(optimizer, torch.optim.Optimizer, "Muon(params)")
    return optimizer


@claim(step=4, examples=8, size=MATRICES, settings=SETTINGS, way=["names", "places"], double=True, seconds=PATIENT)
def test_the_optimizer_takes_the_steps_of_the_loop(kata, size, settings, way):
    """Muon moves every parameter by the formula, with a buffer for each that lasts from step to step."""
    bench, (more, options) = Bench(size), ((), settings) if way == "names" else (settings.values(), {})
    bench.run(make(kata, bench.weights, *more, **options), range(3))
    wanted = [muon_by_hand(start, ones, **settings)[0] for start, ones in zip(bench.starts, bench.gradients)]
    bench.compare(wanted, f"after 3 steps, with settings by their {way},")


@claim(step=4, examples=1, size=MATRICES, seconds=PATIENT)
def test_the_optimizer_keeps_the_dtype(kata, size):
    """Parameters in double move in double, whatever torch's default is."""
    bench, settings = Bench(size, count=2), {"lr": 0.1, "momentum": 0.8}
    bench.starts = [start.double() for start in bench.starts]
    bench.weights = [nn.Parameter(start.clone()) for start in bench.starts]
    bench.gradients = [[LARGE * gradient.double() for gradient in ones] for ones in bench.gradients]
    bench.run(make(kata, bench.weights, **settings), range(2))
    for i, (weight, start, ones) in enumerate(zip(bench.weights, bench.starts, bench.gradients)):
        same_dtype(weight.detach(), start, f"weight {i} after 2 steps")
        want = muon_by_hand(start, ones, **settings)[0]
        check.equal(weight.detach(), want, f"weight {i} after 2 steps", tolerance=1e-9, weight=start)


@claim(step=4, examples=1, size=MATRICES, double=True, seconds=PATIENT)
def test_two_optimizers_do_not_disturb_each_other(kata, size):
    """Two optimizers that step in turns, each with settings of its own, keep to their own parameters."""
    benches = [Bench(size, count=2), Bench(size, count=2)]
    for start, weight in zip(benches[1].starts, benches[1].weights):
        start.mul_(-1)
        weight.data.mul_(-1)
    settings = [{"lr": 0.1, "momentum": 0.5}, {"lr": 0.3, "momentum": 0.9}]
    optimizers = [make(kata, bench.weights, **options) for bench, options in zip(benches, settings)]
    for number in range(2):
        for bench, optimizer in zip(benches, optimizers):
            bench.run(optimizer, [number])
    for bench, options, which in zip(benches, settings, ("first", "second")):
        pairs = zip(bench.starts, bench.gradients)
        wanted = [muon_by_hand(start, ones, **options)[0] for start, ones in pairs]
        bench.compare(wanted, f"of the {which} of two optimizers, after 2 steps,")


@claim(step=4, examples=1, size=MATRICES, double=True, seconds=PATIENT)
def test_a_group_may_come_later(kata, size):
    """A group that is added after the first steps moves from then on, by its own settings."""
    bench, settings, own = Bench(size), {"lr": 0.1, "momentum": 0.8}, {"lr": 0.3, "momentum": 0.5}
    optimizer = make(kata, bench.weights[1:], **settings)
    bench.run(optimizer, [0])
    optimizer.add_param_group(Group(params=bench.weights[:1], **own))
    bench.run(optimizer, [1, 2])
    wanted = [muon_by_hand(bench.starts[0], bench.gradients[0][1:], **own)[0]]
    wanted += [muon_by_hand(start, ones, **settings)[0] for start, ones in zip(bench.starts[1:], bench.gradients[1:])]
    bench.compare(wanted, "after 3 steps, the last two of them with another group,")


@claim(step=4, examples=2, size=MATRICES, double=True, seconds=PATIENT)
def test_the_optimizer_has_its_usual_settings(kata, size):
    """Unless told otherwise: lr 0.02, momentum 0.95, nesterov, no weight decay, 5 iterations."""
    bench = Bench(size, count=2)
    bench.run(make(kata, bench.weights), range(2))
    for i, (weight, start) in enumerate(zip(bench.weights, bench.starts)):
        want = muon_by_hand(start, bench.gradients[i], lr=0.02, momentum=0.95)[0]
        check.equal(weight.detach() - start, want - start, f"the way of weight {i} in 2 steps")


@claim(step=4, examples=3, size=MATRICES, rate=rates, double=True, seconds=PATIENT)
def test_each_group_has_settings_of_its_own(kata, size, rate):
    """A group's own settings hold for its parameters, and a rate that a schedule sets holds from then on."""
    bench = Bench(size, count=2)
    own = {"lr": rate, "momentum": 0.5, "nesterov": False, "weight_decay": 0.2, "steps": 3}
    groups = [{"params": bench.weights[:1]}, {"params": bench.weights[1:], **own}]
    optimizer = make(kata, groups, lr=0.2, momentum=0.8)
    for number in range(2):
        for group in optimizer.param_groups:
            group["lr"] = rate * (number + 1)
        bench.run(optimizer, [number])
    for i, start in enumerate(bench.starts):
        settings = own if i else {"momentum": 0.8}
        want, buffer = start, torch.zeros_like(start)
        for number, gradient in enumerate(bench.gradients[i]):
            buffer = settings["momentum"] * buffer + gradient
            ahead = gradient + settings["momentum"] * buffer if settings.get("nesterov", True) else buffer
            longer = math.sqrt(max(1.0, start.shape[0] / start.shape[1]))
            way = longer * pressed(ahead, settings.get("steps", 5)) + settings.get("weight_decay", 0.0) * want
            want = want - rate * (number + 1) * way
        check.equal(bench.weights[i].detach(), want, f"weight {i} after 2 steps of two rates", weight=start)


@claim(step=4, examples=3, size=MATRICES, double=True, seconds=PATIENT)
def test_a_parameter_without_a_gradient_is_left_alone(kata, size):
    """A parameter whose gradient is None is skipped, decay and momentum too, and goes on from there when it has one."""
    bench, settings = Bench(size), {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.5}
    optimizer = make(kata, bench.weights, **settings)
    bench.run(optimizer, [0])
    bench.run(optimizer, [1], without=(0, 2))
    bench.run(optimizer, [2])
    wanted = []
    for i, (start, ones) in enumerate(zip(bench.starts, bench.gradients)):
        wanted.append(muon_by_hand(start, ones if i == 1 else [ones[0], ones[2]], **settings)[0])
    bench.compare(wanted, "after 3 steps, in the second of which weights 0 and 2 have no gradient,")


@claim(step=4, examples=2, size=MATRICES, double=True, seconds=PATIENT)
def test_a_resumed_run_goes_on_as_if_never_stopped(kata, size):
    """The state goes through state_dict and a file: a new optimizer that loads it takes the same next step."""
    bench, settings = Bench(size), {"lr": 0.1, "momentum": 0.8}
    first = make(kata, bench.weights, **settings)
    bench.run(first, [0, 1])
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    bench.weights = [nn.Parameter(weight.detach().clone()) for weight in bench.weights]  # as in a fresh process
    second = make(kata, bench.weights)
    second.load_state_dict(torch.load(file, weights_only=True))
    bench.run(second, [2])
    wanted = [muon_by_hand(start, ones, **settings)[0] for start, ones in zip(bench.starts, bench.gradients)]
    bench.compare(wanted, "after 3 steps, the last of them resumed,")


@claim(step=4, examples=2, size=MATRICES, nesterov=[False, True], double=True, seconds=PATIENT)
def test_gradients_are_left_as_they_are(kata, size, nesterov):
    """A step changes the parameters and not their gradients; whoever looks at those afterwards finds them whole."""
    bench = Bench(size, count=2)
    optimizer = make(kata, bench.weights, lr=0.1, nesterov=nesterov)
    for number in range(2):
        bench.run(optimizer, [number])
        for i, (weight, gradients) in enumerate(zip(bench.weights, bench.gradients)):
            check.exactly(weight.grad, gradients[number], f"the gradient of weight {i} after step {number + 1}")


@claim(step=4, examples=6, shape=[(7,), (), (2, 3, 5)], groups=[1, 2], seconds=PATIENT)
def test_what_is_no_matrix_is_refused(kata, shape, groups):
    """A parameter that is not a matrix is refused with a ValueError that shows its shape, in whichever group it is."""
    good, bad = nn.Parameter(torch.ones(4, 6)), nn.Parameter(torch.ones(shape))
    params = [good, bad] if groups == 1 else [Group(params=[good]), Group(params=[bad], lr=0.1)]
    what = f"Muon, given a parameter of shape {shape}" + (" in its second group," if groups == 2 else ",")
    check.raises(ValueError, lambda: kata.Muon(params), list(shape), what)
