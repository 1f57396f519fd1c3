"""The process in which a submission to the speedrun runs: once to train, then in new ones to answer.

Each side says a line that holds a JSON object with `size`, and then so many bytes. The first that comes in is the job,
with the submission's source; `ready` goes out, and then it is

- a job to `train`: it reads the ids of the train split, trains, and sends the model as `torch.save` writes it;
- a job to `answer`: it reads such a model, then batches of ids (`shape` says which), and sends the logits of each.

`refused` is a rule that was broken, and how. `dojo.speedrun.child` is at the other end.
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
from pathlib import Path
from typing import Any

import torch

from ..sandbox.limits import bound_resources, out_of_memory
from .restrictions import Fence
from .rules import CONTEXT, THREADS

MODULE = "submission"  # by this name a model finds its class again in the process that answers
_to_referee = 1  # a file descriptor


def send(message: dict[str, Any], payload: bytes = b"") -> None:
    """Say something to the referee."""
    data = json.dumps(message | {"size": len(payload)}).encode() + b"\n" + payload
    while data:
        data = data[os.write(_to_referee, data) :]


def receive() -> tuple[dict[str, Any], bytes]:
    """What the referee says; ends the process where nobody is there any more."""
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)
    message = json.loads(line)
    return message, sys.stdin.buffer.read(message["size"])


def refuse(rule: str, why: str) -> None:
    """Report a broken rule, and end this process."""
    send({"refused": [rule, why]})
    os._exit(0)


def main() -> None:
    """Do the job on standard input."""
    global _to_referee
    job, source = receive()
    _to_referee = os.dup(1)
    os.dup2(2, 1)  # what a submission prints is no message
    torch.set_num_threads(THREADS)
    torch.manual_seed(job["seed"])
    warm = torch.randn(256, 256, device=job["device"])
    warm.mm(warm).softmax(-1).cpu()  # threads start at the first use of them, and a GPU's libraries are loaded then
    torch.cuda.device_count()  # one more library; it is asked for when a model is loaded
    home = Path(__file__).resolve().parents[2]
    sys.path[:] = [path for path in sys.path if path and Path(path).resolve() != home]
    if job["device"] == "cpu":  # a GPU's memory is mapped beside the processor's, and there is far more of it
        bound_resources()
    fence = Fence(Path.cwd(), [Path(path) for path in job["hidden"]], refuse)
    send({"ready": True})
    given, payload = receive()
    fence.close()
    try:
        module = load(source, job["name"])
        train(module, payload, job) if job["plan"] == "train" else answer(payload, job["device"])
    except BaseException as error:
        _explain(error, job["name"])


def load(source: bytes, name: str) -> types.ModuleType:
    """Run a submission's file as a module."""
    module = types.ModuleType(MODULE)
    module.__file__ = name
    sys.modules[MODULE] = module
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def train(module: types.ModuleType, payload: bytes, job: dict[str, Any]) -> None:
    """Have the model trained, and hand it over."""
    if not callable(getattr(module, "train", None)):
        refuse("one file", "it defines no function train(ids, vocab_size, seed)")
    ids = torch.frombuffer(bytearray(payload), dtype=torch.int16).long().to(job["device"])
    names = inspect.signature(module.train).parameters
    target = {"target": job["target"]} if "target" in names else {}
    model = module.train(ids, job["vocab_size"], job["seed"], **target)
    context = getattr(model, "context_length", None)
    if not callable(model):
        refuse("one file", f"train returns {_kind(model)} and no model")
    if not isinstance(context, int) or context < CONTEXT:
        refuse("context", f"the model's context_length is {context!r}, and {CONTEXT} is the least")
    print(end="", flush=True)  # what it printed is known when the model is
    written = io.BytesIO()
    try:
        torch.save(model, written)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        refuse("one file", f"the model cannot be handed over ({error}): define its class at the top of the file")
    parameters = sum(one.numel() for one in model.parameters()) if isinstance(model, torch.nn.Module) else None
    send({"context_length": context, "parameters": parameters}, written.getvalue())


def answer(payload: bytes, device: str) -> None:
    """Load a model and answer batches with logits, until no more come."""
    model = torch.load(io.BytesIO(payload), weights_only=False, map_location=device)
    if isinstance(model, torch.nn.Module):
        model.eval()
    send({"loaded": True})
    while True:
        asked, content = receive()
        ids = torch.frombuffer(bytearray(content), dtype=torch.int16).long().view(asked["shape"]).to(device)
        with torch.no_grad():
            logits = model(ids)
        if not isinstance(logits, torch.Tensor):
            refuse("logits", f"the model returns {_kind(logits)} and no tensor")
        logits = logits.detach().to("cpu", torch.float32).contiguous()
        send({"shape": list(logits.shape)}, logits.numpy().tobytes())


def _kind(thing: Any) -> str:
    return "None" if thing is None else f"a {type(thing).__name__}"


def _explain(error: BaseException, name: str) -> None:
    """Report an error of the submission, with the line of its file."""
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == name]
    if isinstance(error, SyntaxError) and error.filename == name:
        lines = [error.lineno]
    where = f", line {lines[-1]}" if lines else ""
    if out_of_memory(error):
        refuse("memory", f"it wants more memory than there is{where}")
    text = (str(error).strip() or "no message").split("\n")[0]
    refuse("no crash", f"{type(error).__name__}{where}: {text}")


if __name__ == "__main__":
    main()
