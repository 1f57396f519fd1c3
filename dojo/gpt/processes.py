"""What a process that torchrun started knows of the others: how many they are, which it is, what they agree on."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed

from ..system.network import address_towards, interfaces

T = TypeVar("T")


def is_worker() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def attempt() -> int:
    """How often torchrun has started all processes anew."""
    return int(os.environ["TORCHELASTIC_RESTART_COUNT"])


def several_machines() -> bool:
    """Whether the processes run on more machines than this."""
    return os.environ["WORLD_SIZE"] != os.environ["LOCAL_WORLD_SIZE"]


def is_first_here() -> bool:
    """Whether this process is the first of its machine, and not the first of all."""
    return os.environ["LOCAL_RANK"] == "0" != os.environ["RANK"]


@contextlib.contextmanager
def joined(device: str) -> Iterator[None]:
    """Be one of the processes that torchrun started."""
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    address, rank, size = (os.environ[name] for name in ("MASTER_ADDR", "RANK", "WORLD_SIZE"))
    if several_machines() and (interface := interface_to(address)):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)  # else gloo takes what the host's name stands for
    server = distributed.TCPStore(address, int(os.environ["MASTER_PORT"]), is_master=False)
    # Addresses of processes that were killed are still in the store.
    store = distributed.PrefixStore(f"dojo/{attempt()}", server)
    backend = "nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=int(rank), world_size=int(size))
    try:
        yield
    finally:
        distributed.destroy_process_group()


def interface_to(address: str) -> str:
    """The network interface by which an address is had; nothing where that cannot be known."""
    own = address_towards(address)
    return next((name for name, address in interfaces().items() if address == own), "")


def size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def mean(value: float, device: str) -> float:
    """The mean of a number over all processes."""
    if size() == 1:
        return value
    number = torch.tensor(value, dtype=torch.float32 if device == "mps" else torch.float64, device=device)
    distributed.all_reduce(number)
    return number.item() / size()


def gathered(what: T) -> list[T]:
    """What each process hands over, by their number."""
    everybody: list[Any] = [None] * size()
    distributed.all_gather_object(everybody, what)
    return everybody


def differences(facts: Mapping[str, str]) -> list[str]:
    """The names of facts that are not the same in all processes."""
    everybody = gathered(dict(facts))
    names = dict.fromkeys(name for each in everybody for name in each)
    return [name for name in names if len({each.get(name) for each in everybody}) > 1]


@contextlib.contextmanager
def handed_over(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """A folder that holds these files as the first process has them in `folder`, on other machines too."""
    content: list[object] = [None]
    if rank() == 0:
        content = [{name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}]
    distributed.broadcast_object_list(content)
    with tempfile.TemporaryDirectory() as copy:
        if rank() == 0:
            yield folder
            return
        for name, each in content[0].items():  # type: ignore[attr-defined]
            (Path(copy) / name).write_bytes(each)
        yield Path(copy)
