"""What the runs in `runs/` left behind: their histories. No torch here."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from ..system.files import write_whole

FILE = "history.json"  # in the folder of a run
HEADS = ("run", "text", "parameters", "steps", "loss", "time", "on", "parts")  # of the table of runs


def unit_of(kind: str) -> str:
    """What a token of this kind is called."""
    return {"characters": "character", "bytes": "byte"}.get(kind, "token")


@dataclass(frozen=True)
class Sizes:
    """The sizes of a GPT, and what it leaves open."""

    context_length: int
    emb_dim: int
    num_heads: int
    num_layers: int
    qkv_bias: bool = False
    tie_weights: bool = False
    vocab_size: int = 0  # 0: that of the tokenizer


@dataclass(frozen=True)
class History:
    """What is known of a run without its model; losses in nats a character."""

    name: str  # of its folder
    preset: str
    parts: dict[str, str]  # whose each kata's code is: "reference", or the hash of the learner's file
    vocabulary: str  # every character of its corpus
    floor: float | None  # of its corpus, where known
    losses: list[float]  # of each step
    evaluations: list[tuple[int, float]]  # step and validation loss
    source: str = ""  # which text it is, see `encoded.Encoded`
    kind: str = "characters"  # of its tokens
    parameters: int = 0
    device: str = "cpu"
    seconds: float = 0.0  # that its steps took
    steps: int = 0  # that it is to take
    sizes: Sizes | None = None  # where they are not those of the preset
    base: str = ""  # the model that it went on from
    lora: int = 0  # the rank of what was trained beside the weights; 0 where the weights were
    parallel: str = "torch"  # whose gradients of several processes: torch's or yours
    text: str = ""  # what its files are called, where it is one's own

    @classmethod
    def read(cls, folder: Path) -> History:
        """The history of the run in a folder. Raises OSError, and ValueError, KeyError or TypeError where damaged."""
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return cls(
            name=folder.name,
            preset=str(data["preset"]),
            parts=dict(data.get("parts", {})),
            vocabulary=str(data.get("vocabulary", "")),
            floor=None if data["floor"] is None else float(data["floor"]),
            losses=list(map(float, data["losses"])),
            evaluations=[(int(step), float(loss)) for step, loss in data["evaluations"]],
            source=str(data.get("source", "")),
            kind=str(data.get("kind", "characters")),
            parameters=int(data.get("parameters", 0)),
            device=str(data.get("device", "cpu")),
            seconds=float(data.get("seconds", 0.0)),
            steps=int(data.get("steps", 0)),
            sizes=Sizes(**data["sizes"]) if data.get("sizes") else None,
            base=str(data.get("base", "")),
            lora=int(data.get("lora", 0)),
            parallel=str(data.get("parallel", "torch")),
            text=str(data.get("text", "")),
        )

    def write(self, folder: Path) -> None:
        """Write it into the folder of its run. Raises OSError."""
        data = asdict(self)
        del data["name"]
        write_whole(folder / FILE, json.dumps(data))

    @property
    def title(self) -> str:
        """How far it came, in words."""
        best = f", best validation loss {lowest(self.evaluations):.3f}" if self.evaluations else ""
        return f"{self.name}: {len(self.losses)} steps{best}"


def begun(folder: Path) -> bool:
    """Whether the run in a folder has taken a step, or its history cannot be read, which is said where it is used."""
    try:
        return bool(History.read(folder).losses) or (folder / "best.pt").is_file()
    except (OSError, ValueError, KeyError, TypeError):
        return True


class UnderWay(Exception):
    """Another process trains this run; the message says so."""


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other processes from training the run in a folder. Raises UnderWay where one does."""
    from filelock import FileLock, Timeout

    lock = FileLock(_lock(folder), timeout=0)
    with contextlib.ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock)
        except Timeout:
            raise UnderWay(f"The run {folder.name} is under way in another process. RUN=name begins another.") from None
        except (OSError, NotImplementedError):
            pass  # where nothing can be written it is said when the run begins; some network folders know no locks
        yield


def is_under_way(folder: Path) -> bool:
    """Whether a process trains the run in a folder."""
    if not _lock(folder).is_file():
        return False
    try:
        with hold(folder):
            return False
    except UnderWay:
        return True


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")  # not inside: the folder may be renamed


def lowest(evaluations: list[tuple[int, float]]) -> float:
    """The best validation loss of (step, loss); infinity where there is none yet."""
    return min((loss for _, loss in evaluations), default=float("inf"))


def read_runs(root: Path, say: Callable[[str], None]) -> list[History]:
    """The runs that have taken a step, the latest first; `say` is called with a line on each that is damaged."""
    paths = sorted((root / "runs").glob(f"*/{FILE}"), key=lambda path: -path.stat().st_mtime)
    runs = []
    for path in paths:
        try:
            runs.append(History.read(path.parent))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            say(f"{path.relative_to(root).as_posix()} is damaged and left out. Your model is untouched.")
    return [run for run in runs if run.losses]


def cells(root: Path, history: History) -> list[str]:
    """The row of a run in the table of runs."""
    taken = f"{len(history.losses):,}" + (f" of {history.steps:,}" if history.steps else "")
    best = f"{lowest(history.evaluations):.4f}" if history.evaluations else "-"
    yours = sum(owner != "reference" for owner in history.parts.values())
    base = f", from {history.base}" + (f" with LoRA {history.lora}" if history.lora else "") if history.base else ""
    return [
        history.name,
        f"{history.text or history.source or history.preset}, {history.kind}{base}",
        f"{history.parameters:,}" if history.parameters else "-",
        taken + (", under way" if is_under_way(root / "runs" / history.name) else ""),
        best,
        str(timedelta(seconds=round(history.seconds))) if history.seconds else "-",
        history.device,
        f"{yours} yours" if yours else "the reference's",
    ]
