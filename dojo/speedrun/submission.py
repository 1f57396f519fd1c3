"""The process in which a submission to the speedrun runs: once to train, then in new ones to answer.

It is forked from a server that has imported this module, and thus torch, and done nothing else. A `Job` goes along,
arrays of ids and models as bytes follow from the referee, whose end of the line is in `process`. What goes back was
written by code that is not ours and is never unpickled: a `Reply` is a JSON object, then bytes.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import pickle
import sys
import traceback
import types
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch

from ..sandbox.limits import bound_resources, out_of_memory
from ..system.processes import HOME
from .restrictions import Restrictions
from .rules import CONTEXT, MODEL, THREADS

MODULE = "submission"  # by this name a model finds its class again in the process that answers
HEADER = 1 << 16  # bytes that the JSON object of a reply may have


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


def main(job: Job, line: Connection, output: Connection, environment: dict[str, str]) -> None:
    """Do a job in this process. What the submission prints goes to `output`, replies go over `line`."""
    _separate(output, environment)
    torch.set_num_threads(THREADS)
    torch.manual_seed(job.seed)
    matrix = torch.randn(256, 256, device=job.device)
    matrix.mm(matrix).softmax(-1).cpu()  # starts threads and loads a GPU's libraries, which happens at their first use
    torch.cuda.device_count()  # one more library; it is asked for when a model is loaded
    if job.device == "cpu":  # a GPU's memory is mapped beside the processor's, and there is far more of it
        bound_resources()
    Submission(job, line).run()


def _separate(output: Connection, environment: dict[str, str]) -> None:
    """Leave the session, the streams, the folder, the environment and the packages of whoever judges."""
    if hasattr(os, "setsid"):
        os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(environment["HOME"])
    sys.path[:] = [path for path in sys.path if path and Path(path).resolve() != HOME]
    sys.argv[:] = [MODULE]
    sys.dont_write_bytecode = True


class Submission:
    """A submission in its process, and the line to the referee."""

    def __init__(self, job: Job, line: Connection):
        self._job, self._line = job, line

    def run(self) -> None:
        """Say that all is ready, and do the job, restricted from now on."""
        restrictions = Restrictions(Path.cwd(), self._job.hidden, self.refuse)
        self._send(Reply())
        given = self._receive()
        restrictions.apply()
        try:
            module = self._load()
            self._train(module, given) if self._job.plan == "train" else self._answer(given)
        except BaseException as error:
            self._explain(error)

    def refuse(self, rule: str, why: str) -> NoReturn:
        """Report a broken rule, and end this process."""
        self._send(Reply(refused=(rule, why)))
        os._exit(0)

    def _send(self, reply: Reply) -> None:
        if len(reply.payload) > MODEL:
            self.refuse("memory", f"it hands over {len(reply.payload):,} bytes, {MODEL:,} at most")
        reply.send(self._line)

    def _receive(self) -> Any:
        try:
            return self._line.recv()
        except EOFError:  # the referee is not there any more
            os._exit(0)

    def _load(self) -> types.ModuleType:
        """Run the submission's file as a module."""
        module = types.ModuleType(MODULE)
        module.__file__ = self._job.name
        sys.modules[MODULE] = module
        exec(compile(self._job.source, self._job.name, "exec"), module.__dict__)
        return module

    def _train(self, module: types.ModuleType, given: np.ndarray) -> None:
        """Have the model trained, and hand it over."""
        if not callable(getattr(module, "train", None)):
            self.refuse("one file", "it defines no function train(ids, vocab_size, seed)")
        ids = torch.from_numpy(given).long().to(self._job.device)
        names = inspect.signature(module.train).parameters
        target = {"target": self._job.target} if "target" in names else {}
        model = module.train(ids, self._job.vocab_size, self._job.seed, **target)
        context = getattr(model, "context_length", None)
        if not callable(model):
            self.refuse("one file", f"train returns {_kind(model)} and no model")
        if not isinstance(context, int) or context < CONTEXT:
            self.refuse("context", f"the model's context_length is {context!r}, and {CONTEXT} is the least")
        print(end="", flush=True)  # what it printed is known when the model is
        written = io.BytesIO()
        try:
            torch.save(model, written)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            self.refuse(
                "one file", f"the model cannot be handed over ({error}): define its class at the top of the file"
            )
        parameters = sum(each.numel() for each in model.parameters()) if isinstance(model, torch.nn.Module) else None
        self._send(Reply(context_length=context, parameters=parameters, payload=written.getvalue()))

    def _answer(self, given: bytes) -> None:
        """Load a model and answer batches with logits, until no more come."""
        model = torch.load(io.BytesIO(given), weights_only=False, map_location=self._job.device)
        if isinstance(model, torch.nn.Module):
            model.eval()
        self._send(Reply())
        while True:
            ids = torch.from_numpy(self._receive()).long().to(self._job.device)
            with torch.no_grad():
                logits = model(ids)
            if not isinstance(logits, torch.Tensor):
                self.refuse("logits", f"the model returns {_kind(logits)} and no tensor")
            logits = logits.detach().to("cpu", torch.float32).contiguous()
            self._send(Reply(shape=tuple(logits.shape), payload=logits.numpy().tobytes()))

    def _explain(self, error: BaseException) -> NoReturn:
        """Report an error of the submission, with the line of its file."""
        name = self._job.name
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        if isinstance(error, SyntaxError) and error.filename == name:
            lines = [error.lineno]
        where = f", line {lines[-1]}" if lines else ""
        if out_of_memory(error):
            self.refuse("memory", f"it wants more memory than there is{where}")
        text = (str(error).strip() or "no message").split("\n")[0]
        self.refuse("no crash", f"{type(error).__name__}{where}: {text}")


def _kind(thing: Any) -> str:
    return "None" if thing is None else f"a {type(thing).__name__}"
