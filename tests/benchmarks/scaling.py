"""What training costs beside what it could: `python -m tests.benchmarks.scaling [RACE …]` measures, in turn, and keeps
the results in `runs/bench/scaling.json`; with `--record`, in `data/benchmarks` too.

parts      a step of the katas' own parts, and of a plain GPT with torch's fused attention and LayerNorm (one thread,
           seconds of the processor)
processes  `shakespeare` with a batch of 48: one process of one thread, and two (tokens a second, by the clock)
waiting    a step with two threads that wait as torch has them, and passively: alone, and beside another torch program
           of two threads (by the clock)
writing    the same of a text that the trained model writes, passively: alone, and beside
encoding   GPT-2's tokens of a text into a flat file, and tiktoken's own encoding of the same (one thread, seconds of
           the processor); TEXT=path
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dojo.bench import machine, results
from dojo.bench.rounds import Times, noisy, rows
from dojo.curriculum.catalog import Catalog
from dojo.gpt import corpus, launch, presets
from dojo.gpt.engine import Engine
from dojo.gpt.model import build_model, parts
from dojo.gpt.runs import History
from dojo.system.processes import environment
from dojo.system.root import find_root

ROOT = find_root()
ROUNDS = 3
STEPS = {"parts": 8, "processes": 20, "waiting": 60}  # of a turn
PRESET = replace(presets.PRESETS["shakespeare"], corpus=corpus.verona)  # the sizes count, and this text is always here
BUSY = "import torch\ntorch.set_num_threads(2)\na = torch.randn(1500, 1500)\nwhile True: a = torch.tanh(a @ a)"


class PlainBlock(nn.Module):
    """A block as one writes it with what torch has."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        B, T, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, h, T, d) each
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heads.transpose(1, 2).reshape(B, T, D))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class PlainGPT(nn.Module):
    """A GPT of the same sizes, of those blocks."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        width = PRESET.emb_dim
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(PRESET.context_length, width)
        self.blocks = nn.Sequential(*[PlainBlock(width, PRESET.num_heads) for _ in range(PRESET.num_layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) to (B, T, V)."""
        x = self.tokens(ids) + self.places.weight[: ids.shape[1]]
        return self.head(self.norm(self.blocks(x)))


def stepper(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], threads: int = 1) -> Callable[[], None]:
    """A step of training, each call on the same batch."""
    torch.set_num_threads(threads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    x, y = torch.randint(65, (2, PRESET.batch_size, PRESET.context_length))

    def step() -> None:
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    return step


def own_stepper(threads: int = 1, compiled: bool = False) -> Callable[[], None]:
    """A step of the katas' own parts, the reference's."""
    modules, _ = parts(Catalog(ROOT), frozenset())
    model = Engine(compiled=compiled).compile(build_model(modules, PRESET, 65))
    return stepper(model, modules["k11"].cross_entropy, threads)


def parts_race() -> list[Times]:
    """The katas' parts beside torch's, in turn."""

    def fused(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    steps = {
        "a plain GPT, fused": stepper(PlainGPT(65), fused),
        "the katas' parts": own_stepper(),
        "the katas' parts, COMPILE=1": own_stepper(compiled=True),
    }
    times = {name: Times(name) for name in steps}
    for step in steps.values():
        per_call(step, 5)
    for _ in range(2 * ROUNDS):
        for name, step in steps.items():
            times[name].seconds.append(per_call(step, STEPS["parts"], time.process_time))
    return list(times.values())


def per_call(call: Callable[[], object], calls: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds a call."""
    start = clock()
    for _ in range(calls):
        call()
    return (clock() - start) / calls


def processes_race() -> list[Times]:
    """One process and two, each of one thread: whole runs of `dojo train`, of which the steps count."""
    one, two = Times("1 process"), Times("2 processes")
    for number in range(ROUNDS):
        for times, count in ((one, 1), (two, 2)):
            name = f"scaling-{count}"
            with tempfile.TemporaryDirectory() as root:
                for inside in ("katas", "solutions", "data"):
                    (Path(root) / inside).symlink_to(ROOT / inside)
                words = ["train", "shakespeare", "--impl", "solutions", "--run", name, "--processes", str(count)]
                variables = environment(OMP_NUM_THREADS="1", DOJO_ROOT=root, OMP_WAIT_POLICY="PASSIVE")
                command = [sys.executable, "-m", "tests.benchmarks.scaling", "train", *words]
                subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True)
                history = History.read(Path(root) / "runs" / name)
            times.seconds.append(history.seconds / len(history.losses))
        print(f"round {number + 1}: {one.seconds[-1]:.3f} s and {two.seconds[-1]:.3f} s a step", flush=True)
    return [one, two]


def train(words: list[str]) -> None:
    """`dojo train`, with a preset of few steps and a batch of 48; its processes run this too."""
    from dojo.cli.main import main

    presets.PRESETS["shakespeare"] = replace(PRESET, batch_size=48, steps=STEPS["processes"], evaluate_every=1000)
    launch.PROGRAM = ["-m", "tests.benchmarks.scaling", "train"]
    sys.argv = ["__main__.py", *[word for word in words if word != "--"]]
    main()


def waiting_race(what: str) -> list[Times]:
    """Two threads: as torch has them alone, passively alone, and passively beside another program."""
    ways = {"passive, alone": "PASSIVE", "as torch has them, alone": "", "passive, beside": "PASSIVE"}
    if what == "writing":
        del ways["as torch has them, alone"]
    times = {name: Times(name) for name in ways}
    for _ in range(ROUNDS):
        for name, policy in ways.items():
            variables = environment(OMP_NUM_THREADS="2", OMP_WAIT_POLICY=policy)
            if not policy:
                del variables["OMP_WAIT_POLICY"]
            with other_program("beside" in name):
                command = [sys.executable, "-m", "tests.benchmarks.scaling", f"turn-{what}"]
                done = subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True, text=True)
            times[name].seconds.append(float(done.stdout))
            print(f"{name}: {1000 * times[name].seconds[-1]:.1f} ms", flush=True)
    return list(times.values())


@contextmanager
def other_program(there: bool) -> Iterator[None]:
    """Another torch program of two threads that never waits."""
    if not there:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        time.sleep(3)
        try:
            yield
        finally:
            process.kill()


def turn(what: str) -> float:
    """Seconds of a step, or of a character that a model of those sizes writes."""
    if what == "waiting":
        step = own_stepper(2)
        per_call(step, 10)
        return per_call(step, STEPS["waiting"])
    from dojo.gpt.model import GPT
    from dojo.gpt.tokens import ByteTokenizer

    torch.set_num_threads(2)
    modules, _ = parts(Catalog(ROOT), frozenset())
    gpt = GPT("", modules, PRESET, ByteTokenizer(), build_model(modules, PRESET, 256))
    list(gpt.stream("to be", 20, torch.Generator()))
    return per_call(lambda: list(gpt.stream("to be", 200, torch.Generator())), 1) / 200


def encoding_race(path: str) -> list[Times]:
    """The tokens of GPT-2, by `dojo` into a file, and by tiktoken alone."""
    from dojo.gpt.encoded import OwnText, encode_text
    from dojo.spec.byte_pairs import encoding, gpt2_ranks

    modules, _ = parts(Catalog(ROOT), frozenset())
    whole, own, theirs = encoding(gpt2_ranks()), Times("dojo, into a file"), Times("tiktoken")
    size = Path(path).stat().st_size
    for _ in range(2):
        text = Path(path).read_text(encoding="utf-8")
        lines = [text[start : start + 4_000_000] for start in range(0, len(text), 4_000_000)]
        theirs.seconds.append(per_call(lambda: [whole.encode_ordinary(each) for each in lines], 1, time.process_time))
        with tempfile.TemporaryDirectory() as folder:
            own_text = OwnText(path, kind="gpt2")
            encode = lambda: encode_text(own_text, modules, Path(folder), 64)  # noqa: E731
            own.seconds.append(per_call(encode, 1, time.process_time))
        print(f"{size / 1e6:.0f} MB: tiktoken {theirs.seconds[-1]:.1f} s, dojo {own.seconds[-1]:.1f} s", flush=True)
    return [theirs, own]


RACES = {
    "parts": parts_race,
    "processes": processes_race,
    "waiting": lambda: waiting_race("waiting"),
    "writing": lambda: waiting_race("writing"),
    "encoding": lambda: encoding_race(os.environ["TEXT"]),
}


def main() -> None:
    """Measure, print and keep the races that the command line names."""
    words = sys.argv[1:]
    if words[:1] == ["train"]:
        train(words[1:])
        return
    if words and words[0].startswith("turn-"):
        print(turn(words[0].removeprefix("turn-")))
        return
    facts = machine.describe("cpu", ROOT)
    found = results.new("scaling", **facts)
    for race in [word for word in words if word in RACES]:
        times = RACES[race]()
        found["rows"] += rows(times, times[0].name, {"race": race})
        for each in times:
            ratios = [mine / base for mine, base in zip(each.seconds, times[0].seconds)]
            seconds, ratio = statistics.median(each.seconds), statistics.median(ratios)
            print(f"{race}: {each.name}: {seconds:.4g} s, {ratio:.3f} times", flush=True)
    path = ROOT / results.FOLDERS[0] / "scaling.json"
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
    measured = {row["race"] for row in found["rows"]}
    found["rows"] = [row for row in before if row["race"] not in measured] + found["rows"]
    found["machine"]["load_after"], found["noisy"] = results.load(), noisy(found["rows"])
    results.keep(path, found, ROOT)
    if "--record" in words:
        results.keep(results.recorded_path(ROOT, "scaling", found), found, ROOT)


if __name__ == "__main__":
    main()
