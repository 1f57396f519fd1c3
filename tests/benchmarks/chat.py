"""SmolLM2 in the katas' parts beside transformers with its cache, in turn: `python -m tests.benchmarks.chat`.

Needs the weights (`make data WEIGHTS=smollm2`) and the development extra. Prints a table; chat.md holds one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from dojo.system.processes import wait_passively

wait_passively()  # as the verbs do, before torch is there

import torch  # noqa: E402

from dojo.bench.machine import cpu_name  # noqa: E402
from dojo.curriculum.catalog import Catalog  # noqa: E402
from dojo.gpt import pretrained  # noqa: E402
from dojo.system.root import find_root  # noqa: E402

from ..dojo.gpt.tiny_models import read_by_transformers  # noqa: E402

ROUNDS, PROMPT, TOKENS = 5, 100, 24
TEXT = "Once upon a time there was a king who had three daughters, and the youngest of them read all day long. " * 6
# One that loads the model and answers, alone in its process.
ALONE = """
import resource, runpy, sys
sys.argv = ["dojo", "chat", "--prompt", "What is a GPT, in one sentence?", "--seed", "1"]
try:
    runpy.run_module("dojo", run_name="__main__")
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
Moments = list[float]  # when a generation began, and when each of its tokens was there


def main() -> None:
    import transformers

    path = pretrained.find("smollm2")
    ours = replace(pretrained.load(Catalog(find_root()), frozenset(), "smollm2"), stop_id=None)
    theirs = read_by_transformers(path)
    ids = ours.encode(TEXT)[:, :PROMPT]
    rounds = []
    for _ in range(ROUNDS + 1):
        rounds.append((measured(lambda: by_katas(ours, ids)), measured(lambda: by_transformers(theirs, ids))))
        print(rounds[-1], file=sys.stderr, flush=True)
    print(table(rounds[1:], f"transformers {transformers.__version__}"))  # the first is not counted


def by_katas(gpt: pretrained.Pretrained, ids: torch.Tensor) -> Moments:
    """As `make chat` does it, but greedily."""
    tokens = gpt.grow(ids, TOKENS, torch.Generator(), temperature=0)
    return [time.perf_counter(), *(time.perf_counter() for _ in tokens)]


def by_transformers(model, ids: torch.Tensor) -> Moments:
    """By its own `generate`, which hands each token to a streamer, and the prompt before them."""

    class Streamer:
        def __init__(self) -> None:
            self.moments: Moments = []

        def put(self, value: torch.Tensor) -> None:
            self.moments.append(time.perf_counter())

        def end(self) -> None:
            pass

    streamer, start = Streamer(), time.perf_counter()
    model.generate(ids, streamer=streamer, max_new_tokens=TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0)
    return [start, *streamer.moments[1:]]


def measured(generate: Callable[[], Moments]) -> tuple[float, float]:
    """Seconds to the first token, and tokens a second after it."""
    start, first, *rest = generate()
    return first - start, len(rest) / (rest[-1] - first)


def table(rounds: list[tuple[tuple[float, float], tuple[float, float]]], other: str) -> str:
    """The medians of both and of the ratios within rounds, with the smallest and the largest."""
    lines = []
    for at, what in enumerate((f"first token of a {PROMPT}-token prompt (s)", "tokens a second after it")):
        pairs = [(ours[at], theirs[at]) for ours, theirs in rounds]
        ratios = sorted(ours / theirs for ours, theirs in pairs)
        mine, their = (statistics.median(each) for each in zip(*pairs))
        ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        lines.append(f"| {what} | {mine:.2f} | {their:.2f} | {ratio} |")
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=find_root(), capture_output=True, text=True, check=True)
    lines.append(f"| memory at most, `make chat` alone (GB) | {int(done.stdout.split()[-1]) / 1e6:.2f} | | |")
    where = f"{cpu_name()}, 2 cores, CPU; {torch.get_num_threads()} threads, float32, torch {torch.__version__}"
    heads = f"| | the katas' parts | {other} | ratio within rounds |\n| --- | --- | --- | --- |"
    return "\n".join([f"{where}; {ROUNDS} rounds in turn, medians.", "", heads, *lines])


if __name__ == "__main__":
    main()
