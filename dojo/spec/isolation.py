"""Global settings and random numbers, kept from what the code under test does to them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def hide_gpus() -> None:
    """Have torch see no GPU in this process, unless it has looked already.

    Katas are judged on the CPU, so that a verdict is the same everywhere. And where torch sees a GPU, a process that
    has gone backward once cannot do so in a fork of its own.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


@contextmanager
def settled(double: bool, leaks: list[str]) -> Iterator[None]:
    """Run with known global settings and seeds, put all of them back, and name in `leaks` what was left changed."""
    generators = torch.get_rng_state(), random.getstate()
    before = _settings()
    torch.default_generator.manual_seed(0)  # torch.manual_seed also asks after every device, 0.5 ms a call
    random.seed(0)
    if double:
        torch.set_default_dtype(torch.float64)
    started = _settings()
    try:
        yield
    finally:
        for name, value in _settings().items():
            if value != started[name]:
                leaks.append(f"{name} was left at {value}")
        _restore(before)
        torch.set_rng_state(generators[0])
        random.setstate(generators[1])


def _settings() -> dict[str, Any]:
    return {
        "the default dtype": torch.get_default_dtype(),
        "gradient mode": torch.is_grad_enabled(),
        "the number of threads": torch.get_num_threads(),
        "the working directory": os.getcwd(),
    }


def _restore(values: dict[str, Any]) -> None:
    restore = (torch.set_default_dtype, torch.set_grad_enabled, torch.set_num_threads, os.chdir)
    for (name, value), put_back in zip(_settings().items(), restore):
        if value != values[name]:
            put_back(values[name])
