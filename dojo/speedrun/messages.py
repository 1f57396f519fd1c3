"""What the referee and a submission's process send each other. No torch here.

A `Job` goes along when the process is started, arrays of ids and models as bytes follow. What comes back was written by
code that is not ours and is never unpickled: a `Reply` is a JSON object, then bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from .rules import MODEL

HEADER = 1 << 16  # bytes that the JSON object may have


@dataclass(frozen=True)
class Job:
    """What a process is started for: to train a model with a submission's file, or to answer with that model."""

    plan: Literal["train", "answer"]
    source: bytes  # of the submission's file
    name: str  # of the file
    seed: int
    vocab_size: int
    target: float  # nats a character
    device: str
    hidden: list[Path]  # folders that must not be read


@dataclass(frozen=True)
class Reply:
    """What a process sends; which fields are set depends on its job, and none is once it is ready to begin."""

    refused: tuple[str, str] | None = None  # the rule that was broken, and how
    context_length: int = 0  # of the model, which is in `payload` as `torch.save` writes it
    parameters: int | None = None
    shape: tuple[int, ...] = ()  # of the logits, which are in `payload` as float32
    payload: bytes = b""

    def send(self, line: Connection) -> None:
        """Send it over a connection. Raises OSError where nobody is there any more."""
        line.send_bytes(json.dumps({name: value for name, value in vars(self).items() if name != "payload"}).encode())
        line.send_bytes(self.payload)

    @classmethod
    def receive(cls, line: Connection) -> Reply:
        """The next reply. Raises EOFError, OSError, ValueError or TypeError where what comes is none."""
        return cls(**json.loads(line.recv_bytes(HEADER)), payload=line.recv_bytes(MODEL))
