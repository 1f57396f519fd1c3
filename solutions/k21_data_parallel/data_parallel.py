"""Data parallelism: several processes train one model together, each on its own share of the batch."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..k11_cross_entropy.cross_entropy import cross_entropy


class Group(Protocol):
    """What a process knows of the others: `rank` is its own number, from 0, of `world_size` in all."""

    rank: int
    world_size: int

    def send(self, tensor: Tensor, to: int) -> None:
        """Send a copy of the tensor to rank `to`. Returns at once: nobody has to be waiting for it."""

    def receive(self, source: int) -> Tensor:
        """Wait for the next tensor from rank `source` and return it; they come in the order in which they were sent."""


def shard(windows: Int64[Tensor, "N T"], rank: int, world_size: int) -> Int64[Tensor, "n T"]:
    """Return the share of `rank`: rows rank, rank + W, rank + 2·W, …, with W the world size.

    All ranks get equally many rows, n = N // W: the rows that are left over at the end belong to nobody. Raises
    ValueError, with both numbers, for fewer rows than ranks.
    """
    # <solution step=1>
    rows = len(windows) // world_size
    if rows == 0:
        raise ValueError(f"{len(windows)} rows are too few for {world_size} ranks")
    return windows[rank::world_size][:rows]
    # </solution>


def all_reduce_sum(tensor: Float[Tensor, "..."], group: Group) -> Float[Tensor, "..."]:
    """Return the sum of the tensors of all ranks, which have one shape: the same bits on each rank.

    A rank sends to its right neighbour alone, rank + 1, and at most 2·(W − 1)·⌈N / W⌉ of its N numbers in all. The
    argument stays as it is. Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
    workstations".
    """
    # <solution step=2>
    W, rank, N = group.world_size, group.rank, tensor.numel()
    right, left = (rank + 1) % W, (rank - 1) % W
    chunks = tensor.new_zeros(W, -(-N // W))  # (W, N / W rounded up); zeros behind the last number
    chunks.view(-1)[:N] = tensor.detach().flatten()
    for step in range(W - 1):  # sums travel to the right and grow; in the end chunk rank + 1 is complete here
        group.send(chunks[(rank - step) % W], right)
        chunks[(rank - step - 1) % W] += group.receive(left)
    for step in range(W - 1):  # complete chunks travel on, as they are
        group.send(chunks[(rank - step + 1) % W], right)
        chunks[(rank - step) % W] = group.receive(left)
    return chunks.view(-1)[:N].view(tensor.shape)
    # </solution>


@torch.no_grad()
def broadcast(model: nn.Module, group: Group, source: int = 0) -> None:
    """Give all parameters and buffers, in place, the values that they have on rank `source`."""
    # <solution step=3>
    right, left = (group.rank + 1) % group.world_size, (group.rank - 1) % group.world_size
    for values in [*model.parameters(), *model.buffers()]:
        if group.rank != source:
            values.copy_(group.receive(left))
        if right != source:
            group.send(values, right)
    # </solution>


def average_gradients(model: nn.Module, group: Group) -> None:
    """Replace the gradient of each parameter by its mean over all ranks; all gradients travel as one tensor.

    A parameter that asks for gradients and has none on this rank counts as zeros here. Frozen ones are left alone.
    """
    # <solution step=3>
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    row = torch.cat([gradient.flatten() for gradient in gradients])  # (N,)
    mean = all_reduce_sum(row, group) / group.world_size  # (N,)
    for weight, part in zip(weights, mean.split([weight.numel() for weight in weights])):
        weight.grad = part.view(weight.shape)
    # </solution>


def train_step_parallel(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Int64[Tensor, "n T"],
    y: Int64[Tensor, "n T"],
    group: Group,
    max_grad_norm: float | None = None,
) -> float:
    """Take the `train_step` of k12 together: x and y are this rank's share of the batch.

    Every rank takes the step of one process on the whole batch, and returns that process's loss: the mean over all
    ranks, as it was before the step. Gradients left from earlier play no part.
    """
    # <solution step=4>
    optimizer.zero_grad()
    loss = cross_entropy(model(x), y)
    loss.backward()
    average_gradients(model, group)
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return all_reduce_sum(loss, group).item() / group.world_size
    # </solution>


# --- Given: a group of threads, to try things with, and one of processes ---------------------------------------


class Deadlock(RuntimeError):
    """Ranks wait for each other, or for one that has ended; the message says which."""


class ThreadGroup:
    """A rank among threads of this process; `in_threads` makes them, and lets one of them run at a time."""

    MOST = 10_000  # messages of one rank

    def __init__(self, rank: int, ranks: list["ThreadGroup"], world_size: int, main: threading.Lock):
        self.rank, self.world_size = rank, world_size
        self.sent: list[tuple[int, int]] = []  # of each message: to whom, and how many numbers
        self.ranks, self.main, self.turn = ranks, main, threading.Lock()
        self.messages: dict[int, deque[Tensor]] = defaultdict(deque)  # by rank: those not received yet
        self.waits_for: int | None = None
        self.problem, self.ended = "", False
        self.turn.acquire()

    def send(self, tensor: Tensor, to: int) -> None:
        """Send a copy of the tensor to rank `to`."""
        self._check(to)
        self.sent.append((to, tensor.numel()))
        if len(self.sent) > self.MOST:
            raise RuntimeError(f"rank {self.rank} sends more than {self.MOST} messages: an endless loop?")
        self.ranks[to].messages[self.rank].append(tensor.detach().clone())

    def receive(self, source: int) -> Tensor:
        """Wait for the next tensor from rank `source`. Raises Deadlock when none can come any more."""
        self._check(source)
        if not self.messages[source]:
            self.waits_for = source
            self.main.release()
            self.turn.acquire()
            if self.problem:
                raise Deadlock(self.problem)
            self.waits_for = None
        return self.messages[source].popleft()

    def _check(self, rank: int) -> None:
        if not 0 <= rank < self.world_size:
            raise ValueError(f"there is no rank {rank} among ranks 0 to {self.world_size - 1}")

    @property
    def ready(self) -> bool:
        """Whether this rank can go on."""
        return self.waits_for is None or bool(self.messages[self.waits_for])

    def run(self, work: Callable[[Any], Any], results: list[Any], errors: list[BaseException]) -> None:
        """Do the work when it is this rank's turn; what it returns or raises goes into the lists."""
        self.turn.acquire()
        try:
            if not errors:
                results[self.rank] = work(self)
        except BaseException as error:  # whoever called in_threads gets it
            errors.append(error)
        self.ended = True
        self.main.release()


def in_threads(world_size: int, work: Callable[[Any], Any]) -> list[Any]:
    """Return what `work(group)` returns on each rank, by rank; each is a thread, and they take turns.

    Raises what the first of them raises: Deadlock where they wait for each other. Raises RuntimeError when a message
    is sent that nobody receives.
    """
    main = threading.Lock()
    main.acquire()
    ranks: list[ThreadGroup] = []
    ranks += [ThreadGroup(rank, ranks, world_size, main) for rank in range(world_size)]
    results: list[Any] = [None] * world_size
    errors: list[BaseException] = []
    for group in ranks:
        threading.Thread(target=group.run, args=(work, results, errors), daemon=True).start()
    while running := [group for group in ranks if not group.ended]:
        group = next((group for group in running if group.ready and not errors), running[0])
        if errors or not group.ready:
            group.problem = _deadlock(group)
        group.turn.release()
        main.acquire()
    if errors:
        raise errors[0]
    for group in ranks:
        for source, messages in group.messages.items():
            if messages:
                raise RuntimeError(f"rank {source} sends to rank {group.rank} what rank {group.rank} never receives")
    return results


def _deadlock(group: ThreadGroup) -> str:
    """Who waits for whom, from this rank on."""
    text, seen = f"rank {group.rank}", [group]
    while group.waits_for is not None:
        group = group.ranks[group.waits_for]
        text += f" waits for rank {group.rank}"
        if group.ended or group in seen:
            return text + ", which has ended" * group.ended
        text += ", which"
        seen.append(group)
    return text


class ProcessGroup:
    """This process among those of `torch.distributed`, after its `init_process_group`.

    Messages go through the memory of the CPU, by gloo, whatever backend was chosen; what is received is on `device`.
    """

    DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.bool)

    def __init__(self, device: str = "cpu"):
        self.rank, self.world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self.device, self.channel = device, torch.distributed.new_group(backend="gloo")
        self.outgoing = [ThreadPoolExecutor(1) for _ in range(self.world_size)]  # one message after another to each

    def send(self, tensor: torch.Tensor, to: int) -> None:
        """Send a copy of the tensor, of at most 8 dimensions, to rank `to`."""
        values = tensor.detach().to("cpu", copy=True).contiguous()
        head = [self.DTYPES.index(values.dtype), values.ndim, *values.shape, *[0] * (8 - values.ndim)]
        self.outgoing[to].submit(self._deliver, [torch.tensor(head), values], to)

    def _deliver(self, parts: list[torch.Tensor], to: int) -> None:
        for part in parts:
            if part.numel():
                torch.distributed.send(part, to, group=self.channel)

    def receive(self, source: int) -> torch.Tensor:
        """Wait for the next tensor from rank `source` and return it."""
        head = torch.empty(10, dtype=torch.int64)
        torch.distributed.recv(head, source, group=self.channel)
        kind, ndim, *sizes = head.tolist()
        values = torch.empty(sizes[:ndim], dtype=self.DTYPES[kind])
        if values.numel():
            torch.distributed.recv(values, source, group=self.channel)
        return values.to(self.device)

    def close(self) -> None:
        """Wait until all that was sent is delivered."""
        for pool in self.outgoing:
            pool.shutdown()
