"""The process that `spawn_server` starts: it imports torch, waits for a request, judges it, and ends.

The request comes by its standard input and events go out by its standard output; what the learner's code prints goes to
its standard error. It ends with the server that started it.
"""

from __future__ import annotations

import os
import threading
from typing import IO

import torch

from ..spec.isolation import hide_gpus
from .messages import Request, message_of
from .supervisor import hand_in


def main() -> None:
    """Judge the one request that comes, if one does."""
    requests, give_events = os.fdopen(os.dup(0), "rb"), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    for given, standard in ((null, 0), (2, 1)):  # the learner's code reads nothing, and sends nothing
        os.dup2(given, standard)
    hide_gpus()
    torch.set_num_threads(1)
    line = requests.readline()
    if line and isinstance(request := message_of(line), Request):
        threading.Thread(target=_end_with, args=(requests,), daemon=True).start()
        hand_in(request, give_events)


def _end_with(server: IO[bytes]) -> None:
    """End this process, in whatever endless loop it is, when the server at the other end of the pipe is gone."""
    server.read()
    os._exit(1)


if __name__ == "__main__":
    main()
