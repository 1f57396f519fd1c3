"""A claim is one property of a kata: a sentence, a law, and the examples it is checked on."""

from __future__ import annotations

import dis
import functools
import inspect
import os
import re
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, Verbosity, configuration, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from ..system.root import find_root
from .check import Mismatch, plain_name
from .conditions import Conditions, covering
from .errors import Missing, Refused, Stop, unwritten_step
from .isolation import generators_kept, isolated
from .strategies import in_turn

Mode = Callable[[], AbstractContextManager[Any]]
OutcomeKind = Literal["passed", "mismatch", "raised", "not_started", "missing", "refused"]

configuration.set_hypothesis_home_dir(find_root() / ".dojo" / "hypothesis")  # not a folder of its own in the tree

# Hypothesis also draws constants that it finds in the source of whatever modules are loaded: with those, a claim's
# examples would depend on what else the process has imported. Tried with hypothesis 6.170.15; it is private, and
# `test_examples_do_not_depend_on_what_else_is_loaded` fails when it moves.
providers.HypothesisProvider._local_constants = providers.Constants()  # type: ignore

# The same code gets the same verdict: examples follow from the claim. The nightly run sets DOJO_RANDOM=1.
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=os.environ.get("DOJO_RANDOM") != "1",
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
    phases=(Phase.generate, Phase.shrink),
)

RAISE = dis.opmap["RAISE_VARARGS"]
SEARCHED = ("mismatch", "raised")  # failures of which the smallest is searched for


class _Fails(Exception):
    """Raised at one place for every failure, so that Hypothesis shrinks towards the smallest of them all."""


class Example(dict[str, Any]):
    """The values of a law's arguments, by their names, and the conditions under which it is tried."""

    conditions = Conditions()

    def under(self, conditions: Conditions) -> Example:
        """The same values under other conditions."""
        other = Example(self)
        other.conditions = conditions
        return other

    @functools.cached_property
    def text(self) -> str:
        """What tells this example from others of its claim; to write tensors out takes longer than most laws do."""
        return repr(dict(self))


@dataclass
class Outcome:
    """What came of checking a claim: the kind, the error if any, the example, and settings left changed."""

    kind: OutcomeKind
    error: BaseException | None = None
    example: Example = field(default_factory=Example)
    leaks: tuple[str, ...] = ()

    @property
    def evidence(self) -> tuple[Any, ...]:
        """What two codes have in common that made the same mistake on this example.

        Of an error that was raised, its type and, unless the code raised it by hand, the numbers in its message: its
        words are free, and so are the names of classes and arguments of one's own.
        """
        if isinstance(self.error, Mismatch):
            return self.kind, self.error.gist, self.error.alike
        if self.error is None or isinstance(self.error, Stop):
            return self.kind, type(self.error).__name__, []
        if _raised_by_hand(self.error):
            return self.kind, plain_name(type(self.error)), []
        message = re.sub(r"0x[0-9a-fA-F]+", "", str(self.error))  # an address in memory is another each time
        return self.kind, plain_name(type(self.error)), re.findall(r"\d+", message)


def _raised_by_hand(error: BaseException) -> bool:
    """Whether a `raise` outside of torch raised an error: which numbers its author says is free, like the words."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "torch":
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == RAISE


@dataclass(frozen=True)
class Claim:
    """One property; `check` searches for the smallest example on which it fails."""

    name: str
    step: int
    sentence: str
    law: Callable[..., None]
    wanted: tuple[str, ...]  # the names of what the law takes
    strategies: dict[str, st.SearchStrategy[Any]]
    choices: dict[str, Sequence[Any]]
    examples: int
    double: bool
    seconds: float
    slow: bool = False
    costly: bool = False
    without: Mapping[str, str] = field(default_factory=dict)  # the factors of conditions that do not apply, and why

    def check(self, kata: Any, reference: Any, modes: Sequence[Mode] = (), costly: Sequence[Mode] = ()) -> Outcome:
        """Check on many examples: the outcome on the smallest that fails, or a pass."""
        first = self.tried(kata, reference, modes, costly)
        if first.kind not in SEARCHED:
            return first
        outcome = first
        with suppress(Stop):  # an endless loop on another example: what was seen first stands
            outcome = self._simplest(kata, reference, first, modes)
            if first.example is not self.drawn[0]:  # no example is smaller than the first
                outcome = self._smallest(kata, reference, modes, outcome.example.conditions) or outcome
        outcome.leaks = first.leaks
        return outcome

    def _simplest(self, kata: Any, reference: Any, outcome: Outcome, modes: Sequence[Mode]) -> Outcome:
        """A failure under as few conditions as it takes."""
        for conditions in outcome.example.conditions.simpler():
            again = self.once(kata, reference, outcome.example.under(conditions), modes)
            if again.kind == outcome.kind:
                return self._simplest(kata, reference, again, modes)
        return outcome

    def tried(self, kata: Any, reference: Any, modes: Sequence[Mode] = (), costly: Sequence[Mode] = ()) -> Outcome:
        """Check on many examples: the outcome on the first that fails, or a pass.

        Each example is checked within `modes`; one of them, which one follows from the name, within `costly` as well:
        not one in which other calls come first, since those run the same code.
        """
        alone = [number for number, each in enumerate(self.drawn) if each.conditions.earlier == "nothing"]
        watched = alone[zlib.crc32(self.name.encode()) % len(alone)]
        leaks: set[str] = set()
        outcome = Outcome("passed")
        with generators_kept():
            for number, example in enumerate(self.drawn):
                outcome = self.once(kata, reference, example, (*modes, *costly) if number == watched else modes)
                leaks.update(outcome.leaks)
                if outcome.kind != "passed":
                    break
        outcome.leaks = tuple(sorted(leaks))
        return outcome

    def _smallest(self, kata: Any, reference: Any, modes: Sequence[Mode], conditions: Conditions) -> Outcome | None:
        """Search for the smallest example that fails; none where the code under test does not fail again."""
        last: Outcome | None = None

        def visit(example: Example) -> None:
            nonlocal last
            outcome = self.once(kata, reference, example.under(conditions), modes)
            if outcome.kind != "passed":
                last = outcome
                raise _Fails if outcome.kind in SEARCHED else Stop

        choices = {name: st.sampled_from(values) for name, values in self.choices.items()}
        with suppress(Exception, Stop):
            self._over(SETTINGS.phases, visit, self.strategies | choices)
        return last

    def once(self, kata: Any, reference: Any, example: Example, modes: Sequence[Mode] = ()) -> Outcome:
        """Check on one example."""
        arguments = {"kata": kata, "reference": reference, **example}
        leaks: list[str] = []
        kind: OutcomeKind = "passed"
        failure: BaseException | None = None
        try:
            with isolated(example.conditions.double(self.double), leaks), ExitStack() as stack:
                if calls := vars(kata).get("calls"):
                    stack.enter_context(calls.under(example.conditions))
                for mode in modes:
                    stack.enter_context(mode())
                self.law(**{name: arguments[name] for name in self.wanted})
        except Refused as error:
            kind, failure = "refused", error
        except Missing as error:
            kind, failure = "missing", error
        except Mismatch as error:
            error.example = example
            kind, failure = "mismatch", error
        except (Stop, KeyboardInterrupt):
            raise
        except BaseException as error:  # an error class of theirs may be one
            kind = "not_started" if unwritten_step(error, getattr(kata, "filename", None)) else "raised"
            failure = error
        return Outcome(kind, failure, example, tuple(leaks))

    @functools.cached_property
    def drawn(self) -> tuple[Example, ...]:
        """The examples this claim is checked on, the simplest first; always the same ones, and every choice in them."""
        generated: list[Example] = []
        self._over((Phase.generate,), generated.append, self.strategies)
        rows = in_turn([generated, *self.choices.values()], self.examples)
        conditions = covering(len(rows), self.without, start=zlib.crc32(self.name.encode()))
        examples = (Example(drawn | dict(zip(self.choices, chosen))) for drawn, *chosen in rows)
        return tuple(example.under(each) for example, each in zip(examples, conditions))

    def _over(
        self, phases: Collection[Phase], visit: Callable[[Example], None], strategies: dict[str, st.SearchStrategy[Any]]
    ) -> None:
        def body(**example: Any) -> None:  # what is drawn follows from the text of this function
            visit(Example(example))

        if not strategies:
            body()
            return
        settings(SETTINGS, max_examples=self.examples, phases=phases)(given(**strategies)(body))()


def claim(
    step: int,
    *,
    examples: int = 8,
    double: bool = False,
    seconds: float = 5.0,
    slow: bool = False,
    costly: bool = False,
    without: Mapping[str, str] | None = None,
    **values: st.SearchStrategy[Any] | Sequence[Any],
) -> Callable[[Callable[..., None]], Callable[[Any, Any], None]]:
    """Make a law into a test of `step`; its docstring is the sentence that a learner reads.

    The law takes `kata` (the code under test), `reference` (the solution) and one of each of `values`, or only those of
    them that it names. The values of a strategy are drawn; those of a list all have their turn, so there are at least
    as many examples. With `double`, the default dtype is float64 while it runs. `seconds` is the processor time after
    which the search for a failing example is called endless. A `costly` law takes part in finding the mistake behind a
    wrong answer only where it is the one that fails; a `slow` one, which starts a process, does not even then.
    `without` names the factors of the conditions (see `conditions.FACTORS`) that do not apply, each with the reason.
    """

    def decorate(law: Callable[..., None]) -> Callable[[Any, Any], None]:
        sentence = " ".join((law.__doc__ or "").split())
        wanted = tuple(inspect.signature(law).parameters)
        drawn = {name: value for name, value in values.items() if isinstance(value, st.SearchStrategy)}
        choices = {name: value for name, value in values.items() if not isinstance(value, st.SearchStrategy)}
        if short := [name for name, value in choices.items() if len(value) > examples]:
            raise ValueError(f"{law.__name__}: {examples} examples are too few for each of {', '.join(short)}")
        rest = examples, double, seconds, slow, costly, without or {}
        made = Claim(law.__name__, step, sentence, law, wanted, drawn, choices, *rest)
        return _test_of(made)

    return decorate


def _test_of(claim: Claim) -> Callable[[Any, Any], None]:
    """A test for pytest, with the law's name, place and docstring, that checks a claim."""

    def test(kata: Any, reference: Any) -> None:
        outcome = claim.check(kata, reference)
        if outcome.error is not None:
            raise outcome.error

    asks_for = inspect.signature(test)  # the law's line is where an editor goes, but pytest must not draw for it
    functools.update_wrapper(test, claim.law)
    test.claim, test.__signature__ = claim, asks_for  # type: ignore[attr-defined]
    return test
