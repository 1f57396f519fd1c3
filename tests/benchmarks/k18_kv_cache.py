"""Sampling with and without the cache: what `make bench KATA=k18` races, and the whole of GPT-2 small by itself.

`python -m tests.benchmarks.k18_kv_cache` writes 64 tokens after a prompt of 512 with a model of GPT-2 small's size, in
turn without and with the cache, and prints the median of the ratios. That takes minutes.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch

# Vocabulary, context length, width, heads, layers; batch, prompt, new tokens.
SMALL = ((65, 256, 128, 4, 4), (1, 64, 64))
BATCH = ((65, 256, 128, 4, 4), (8, 32, 32))
GPT2 = ((50257, 1024, 768, 12, 12), (1, 512, 1))
WHOLE = (GPT2[0], (1, 512, 64))


class Text:
    """A model with random weights and a prompt, to be continued greedily with the code of any k18."""

    def __init__(self, reference: ModuleType, sizes: tuple[int, ...], amounts: tuple[int, ...]):
        k10 = importlib.import_module("..k10_gpt_model.gpt_model", reference.__package__)
        torch.manual_seed(0)
        self.model = k10.GPT(k10.GPTConfig(*sizes, dropout=0.0)).eval()
        batch, prompt, self.new = amounts
        self.ids = torch.randint(sizes[0], (batch, prompt))
        self.options = {"context_length": sizes[1], "temperature": 0}
        self.heads, self.work = sizes[3], batch * self.new
        self.plain = reference.generate

    def without(self) -> torch.Tensor:
        return self.plain(self.model, self.ids, self.new, **self.options)

    def cached(self, k18: ModuleType) -> torch.Tensor:
        return k18.generate_cached(self.model, self.ids, self.new, num_heads=self.heads, **self.options)


def races(kata: ModuleType | None, reference: ModuleType) -> Iterator[Any]:
    """Without a cache, with the reference's, with yours: small texts, a batch of them, and GPT-2 small."""
    from dojo.bench.timing import Race, Racer, Refused

    for sizes, amounts in (SMALL, BATCH):
        text = Text(reference, sizes, amounts)
        wanted = text.without()

        def prove(k18: ModuleType) -> None:
            if not torch.equal(text.cached(k18), wanted):
                raise Refused("it writes another text than the model without a cache")

        title = f"{amounts[0]} × {amounts[2]} tokens after {amounts[1]}, {sizes[4]} layers of width {sizes[2]}"
        racers = [Racer("without a cache", text.without)]
        for name, k18 in {"reference": reference, "yours": kata}.items():
            if k18 is not None:
                racers.append(Racer(name, lambda k18=k18: text.cached(k18), prove=lambda k18=k18: prove(k18)))
        yield Race(title, racers, work=text.work, unit="tokens")
    yield _next_token(kata, reference)


def _next_token(kata: ModuleType | None, reference: ModuleType) -> Any:
    """One more token of GPT-2 small after 512: a full pass, or a step with full caches."""
    from dojo.bench.timing import Race, Racer, Refused

    text = Text(reference, *GPT2)
    wanted = text.without()[:, -1]

    def prove(step: Callable[[], torch.Tensor], before: Callable[[], None]) -> None:
        before()
        if not torch.equal(step(), wanted):
            raise Refused("it finds another token likeliest than the model without a cache")

    racers = [Racer("without a cache", text.without)]
    for name, k18 in {"reference": reference, "yours": kata}.items():
        if k18 is not None:
            one = _step(k18, text)
            racers.append(Racer(name, *one, prove=lambda one=one: prove(*one)))
    return Race(f"1 token after {GPT2[1][1]}, {GPT2[0][4]} layers of width {GPT2[0][2]}", racers, work=1, unit="tokens")


def _step(k18: ModuleType, text: Text) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """What reads the last token of a text whose other tokens have been read, and what makes that so again."""
    full = k18.make_caches(text.model, len(text.ids), text.heads, text.options["context_length"])
    k18.next_logits(text.model, text.ids[:, :-1], full)
    now: list[Any] = []

    def before() -> None:
        now[:] = copy.deepcopy(full)

    return lambda: k18.next_logits(text.model, text.ids[:, -1:], now).argmax(-1), before


def main() -> None:
    """Write 64 tokens after 512 with GPT-2 small's size, in turn without and with the cache."""
    from dojo.curriculum.catalog import Catalog
    from dojo.sandbox.loader import Workspace
    from dojo.system.root import find_root

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    catalog = Catalog(find_root())
    reference = Workspace(catalog).reference(catalog.find("k18"))
    text = Text(reference, *WHOLE)
    text.cached(reference)  # what is done only once
    ratios = []
    for _ in range(asked.pairs):
        started = time.perf_counter()
        wanted = text.without()
        between = time.perf_counter()
        got = text.cached(reference)
        ended = time.perf_counter()
        assert torch.equal(got, wanted), "the two texts differ"
        slow, fast = between - started, ended - between
        ratios.append(slow / fast)
        print(
            f"without {slow:.1f} s, {text.work / slow:.1f} tokens/s; with the cache {fast:.2f} s, "
            f"{text.work / fast:.1f} tokens/s; ratio {slow / fast:.1f}",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.1f} on {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
