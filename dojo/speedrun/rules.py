"""The rules of the speedrun: what a submission may do, by name. No torch here.

A submission is one Python file with one function, `train(ids, vocab_size, seed)`; `solutions/speedrun/README.md` says
what goes in and what comes out. These rules keep honest people from fooling themselves: they are no prison. Whoever
wants to get round them with C code will.
"""

from __future__ import annotations

from ..system.processes import PATIENCE

TARGET = 1.898  # nats a character, on the whole validation split
SEEDS = 3
CONTEXT = 64  # tokens, at least
THREADS = 2
SOURCE = 32_000  # bytes of a submission: weights trained before do not fit
MODEL = 256 << 20  # bytes of a model as it is handed over
OUTPUT = 64 << 10  # bytes that may be printed
START = 120.0 * PATIENCE  # seconds until a process has imported torch
TRAINING = 900.0 * PATIENCE  # seconds of the clock
EVALUATION = 90.0 * PATIENCE  # seconds for the whole validation split
GRACE = 0.5  # seconds that the first answer may take longer than the second; the rest is put on the clock
TOLERANCE = 1e-3  # of a log-probability that should be the same

RULES = {
    "one file": f"one file of at most {SOURCE:,} bytes defines train(ids, vocab_size, seed), which returns a model",
    "train split": "it learns from the ids that it is given: it opens no other file and no connection",
    "alone": "it starts no other process and loads no library of its own",
    "fresh": "each seed starts in a new process with an empty folder, and nothing is written outside of that",
    "two threads": f"it computes on {THREADS} threads of the CPU",
    "time": f"training comes to an end within {TRAINING:.0f} s",
    "memory": "it keeps within the memory that it is given",
    "output": f"it prints at most {OUTPUT:,} bytes",
    "no crash": "it comes to a good end",
    "context": f"the model has a context_length of at least {CONTEXT}",
    "logits": "model(ids) turns ids (B, T), T up to context_length, into finite logits (B, T, vocab_size)",
    "causal": "no logits depend on later tokens, nor on other rows of the batch",
    "no memory": "the model gives the same answer whenever it is asked the same",
    "evaluation": f"the whole validation split is answered within {EVALUATION:.0f} s",
    "target": "the loss on the whole validation split is at most the target, for every seed",
}


class RuleBroken(Exception):
    """A submission is refused: `rule` is one of RULES, the message says what it did."""

    def __init__(self, rule: str, why: str):
        super().__init__(why)
        self.rule = rule
