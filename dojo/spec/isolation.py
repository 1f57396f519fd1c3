"""Global settings and random numbers, kept from what the code under test does to them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Global settings, each with how it is read and written.
SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "the working directory": (os.getcwd, os.chdir),
}
SEEDED = random.Random(0).getstate()
_kept = False  # whether somebody puts the generators back already


def hide_gpus() -> None:
    """Have torch see no GPU in this process, unless it has looked already.

    Katas are judged on the CPU, so that a verdict is the same everywhere. And where torch sees a GPU, a process that
    has gone backward once cannot do so in a fork of its own.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


@contextmanager
def isolated(double: bool, leaks: list[str]) -> Iterator[None]:
    """Run with known global settings and seeds, put all of them back, and name in `leaks` what was left changed."""
    before = _settings()
    started = before | ({"the default dtype": torch.float64} if double else {})
    with generators_kept():
        torch.default_generator.manual_seed(0)  # torch.manual_seed also asks after every device, 0.5 ms a call
        random.setstate(SEEDED)
        _restore(before, started)
        try:
            yield
        finally:
            now = _settings()
            leaks += [f"{name} was left at {value}" for name, value in now.items() if value != started[name]]
            _restore(now, before)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the states of the global generators back, once at the end of it all: to ask for one takes 20 microseconds."""
    global _kept
    if _kept:
        yield
        return
    generators = torch.get_rng_state(), random.getstate()
    _kept = True
    try:
        yield
    finally:
        _kept = False
        torch.set_rng_state(generators[0])
        random.setstate(generators[1])


def _settings() -> dict[str, Any]:
    return {name: read() for name, (read, _) in SETTINGS.items()}


def _restore(now: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, (_, write) in SETTINGS.items():
        if now[name] != wanted[name]:
            write(wanted[name])
