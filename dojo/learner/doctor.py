"""Look a machine over: a line for each thing that may be wrong, and what to do about it.

Only the standard library is imported: this must run where nothing is installed. torch has a process of its own.
"""

from __future__ import annotations

import json
import locale
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..judge import shared_server
from ..system.command import command, door, python
from ..system.git import Git
from ..system.root import find_root

DISTRIBUTION = "gpt-katas"
OK, WARN, FAIL = "ok", "warn", "FAIL"
COLOURS = {OK: 32, WARN: 33, FAIL: 31}
PROBE_SECONDS = 120  # a first import of torch from a slow disk takes long
# File systems on which saves made elsewhere are not announced.
SILENT = ("9p", "cifs", "drvfs", "fuse.", "nfs", "osxfs", "prl_fs", "smb", "vboxsf", "virtiofs")
TORCH = """
import json, torch
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
name = torch.cuda.get_device_name() if device == "cuda" else device.upper()
try:
    trouble = "" if torch.ones(3, device=device).sum().item() == 3 else "it adds wrongly"
except Exception as error:
    trouble = str(error).splitlines()[0]
print(json.dumps([torch.__version__, name, torch.get_num_threads(), trouble]))
"""
MATPLOTLIB = "import matplotlib, matplotlib.backends.backend_agg; print(matplotlib.get_backend())"


class Finding(NamedTuple):
    """What a check has to say."""

    level: str  # OK, WARN or FAIL
    text: str
    advice: str = ""  # what to do about it


ok, warn, fail = (partial(Finding, level) for level in COLOURS)


def main() -> int:
    """Print a line for each check, and what to do below it; 1 when something must be mended, else 0."""
    root = find_root()
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    counts = dict.fromkeys(COLOURS, 0)
    for name, check in CHECKS.items():
        try:
            level, text, advice = check(root) if find_spec(NEEDS.get(name, "sys")) else LACKING
        except Exception as error:  # a doctor that falls ill helps nobody
            level, text, advice = WARN, f"could not be looked at: {type(error).__name__}: {error}", ""
        counts[level] += 1
        word = f"\033[{COLOURS[level]}m{level:<4}\033[0m" if coloured else f"{level:<4}"
        print(f"{word}  {name:<13}  {text}", flush=True)
        if advice:
            print(f"{'':21}-> {advice}")
    print(f"\n{counts[OK]} in order, {counts[WARN]} to know of, {counts[FAIL]} to mend.")
    return 1 if counts[FAIL] else 0


def check_python(root: Path) -> Finding:
    """Which it is, and whether it can make the environment."""
    text = f"{platform.python_version()}, {sys.executable}"
    if sys.maxsize < 2**32:
        return fail(f"{text}, 32 bits", "torch needs a Python of 64 bits: https://www.python.org/downloads")
    if not find_spec("torch") and not find_spec("ensurepip"):
        return fail(f"{text}, without ensurepip", "install what makes environments: apt install python3-venv")
    return ok(text)


def check_packages(root: Path) -> Finding:
    """What pyproject.toml asks for, in the versions of constraints.txt."""
    names = [re.split(r"[^\w.-]", line)[0] for line in _asked(root) if _applies(line)]
    pins = re.findall(r"^([\w.-]+)==([\w.]+) *;?(.*)$", (root / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    pinned = {name.lower(): wanted for name, wanted, marker in pins if _applies(marker)}
    missing, others = [], []
    for name in names:
        try:
            here, wanted = version(name).split("+")[0], pinned.get(name.lower())
        except PackageNotFoundError:
            missing.append(name)
        else:
            others += [f"{name} {here} instead of {wanted}"] if wanted not in (None, here) else []
    what = "-e ." if (root / "pyproject.toml").is_file() else DISTRIBUTION
    install = f"{sys.executable} -m pip install -c constraints.txt {what}"
    if sys.prefix == sys.base_prefix:  # not in an environment of its own
        install = "make start; without make: python3 -m venv .venv, and in it pip install -c constraints.txt -e ."
    if missing:
        return fail(f"not here: {', '.join(missing)}", install)
    if others:
        return warn(", ".join(others), f"it may well do; if not: {install}")
    return ok("all there, in the versions that this is tested with")


def check_torch(root: Path) -> Finding:
    """Whether torch can be imported and computes, and on what."""
    done = _probe(TORCH)
    if done.returncode != 0:
        return fail(f"cannot be imported: {_last(done)}", f"install it anew: {_set_up(anew=True)}")
    release, device, threads, trouble = json.loads(done.stdout.splitlines()[-1])
    text = f"{release}, on {device}, {threads} thread{'s' if threads > 1 else ''}"
    advice = "the katas need only the CPU; hide the rest: export CUDA_VISIBLE_DEVICES="
    return warn(f"{text}: {trouble}", advice) if trouble else ok(text)


def check_matplotlib(root: Path) -> Finding:
    """Whether pictures can be drawn."""
    done = _probe(MATPLOTLIB)
    if done.returncode != 0:
        advice = "unset MPLBACKEND" if "MPLBACKEND" in os.environ else _set_up()
        return fail(f"cannot be drawn: {_last(done)}", advice)
    return ok(f"matplotlib, backend {done.stdout.strip()}")


def check_judge(root: Path) -> Finding:
    """Whether the judge's server runs, since when, what it holds, and how to stop it."""
    if not shared_server.allowed():
        return ok("a server for each command: CI or DOJO_SERVER=0 is set, or this system cannot fork")
    try:
        standing = shared_server.status(root)
    except TimeoutError as error:
        return warn(f"its server: {error}", "dojo judge --stop")
    except OSError as error:
        return warn(f"a server for each command: {error}", "make that folder yours alone, or remove it")
    if standing is None:
        return ok("no server runs; the next verdict starts one")
    return ok(f"its server is {standing}; to stop it: dojo judge --stop")


def check_terminal(root: Path) -> Finding:
    """Whether it is one, its size, its colours and its characters."""
    columns, lines = shutil.get_terminal_size()
    if not sys.stdout.isatty():
        return warn("none here, so output is plain and keys are not read", "run it in a terminal, without a pipe")
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb"
    text = f"{columns}x{lines}, {'no colour' if plain else 'colour'}, {locale.getpreferredencoding(False)}"
    chosen = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "C")
    if os.name == "posix" and not re.search(r"utf-?8", chosen, re.IGNORECASE):
        return warn(f"{text}, locale {chosen}", "where marks show as question marks: export LC_ALL=C.UTF-8")
    if columns < 60 or lines < 15:
        return warn(text, "60 columns and 15 lines show a verdict without breaking its lines")
    return ok(text)


def check_watching(root: Path) -> Finding:
    """Whether saves will be noticed."""
    kind = _file_system(root)
    where = "WSL, " if "microsoft" in platform.release().lower() else ""
    where += "container, " if any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv"))) else ""
    text = f"{where}{kind or platform.system()}"
    if kind.startswith(SILENT):
        return warn(f"{text}: saves may go unnoticed", "poll: export WATCHFILES_FORCE_POLLING=1")
    return ok(text)


def check_disk(root: Path) -> Finding:
    """Room, and whether the folder can be written."""
    free = shutil.disk_usage(root).free / 1e9
    text, needed = f"{free:.1f} GB free", 0.5 if find_spec("torch") else 6.0
    if not os.access(root, os.W_OK):
        return fail(f"{root} cannot be written", "clone the repository to a folder of your own")
    if free < 0.1:
        return fail(text, "nothing can be saved: make room")
    if free < needed:
        what = f"checkpoints of {command('train')}" if needed < 1 else "torch and the rest"
        return warn(text, f"make room: {what} may need {needed:g} GB")
    return ok(text)


def check_data(root: Path) -> Finding:
    """The embedded corpus, and the texts and tokenizer files of make data."""
    for name in ("verona.toml", "small_ranks.tiktoken", "sources.toml"):
        if not (root / "data" / name).is_file():
            return fail(f"data/{name} is missing", f"git checkout -- data/{name}")
    states = _states(root, root / "data" / "downloads")
    damaged = [f"{name} is damaged: {fault}" for name, fault in states.items() if fault not in ("", "missing")]
    missing = [name for name, fault in states.items() if fault == "missing"]
    if damaged:
        return fail("; ".join(damaged), command("data"))
    if missing:
        return warn(
            f"not fetched: {', '.join(missing)}", f"{command('data')}, for PRESET=shakespeare and GPT-2's tokens"
        )
    return ok(", ".join(states))


def check_mirror(root: Path) -> Finding:
    """The folder from which make data takes files before it asks the network."""
    folder = os.environ.get("DOJO_MIRROR")
    if not folder:
        return ok(f"not set: {command('data')} asks the network")
    if not os.path.isdir(folder):
        return fail(f"{folder} is not a folder", "name the folder that holds the files, or: unset DOJO_MIRROR")
    states = _states(root, Path(folder))
    faults = [f"{name}: {fault}" for name, fault in states.items() if fault]
    if any(fault not in ("", "missing") for fault in states.values()):
        return fail("; ".join(faults), f"put good copies into {folder}, or: unset DOJO_MIRROR")
    if faults:
        return warn(f"{folder}: {'; '.join(faults)}", f"{command('data')} asks the network for those")
    return ok(f"{folder} holds {', '.join(states)}")


def check_git(root: Path) -> Finding:
    """Whether make update can work."""
    if shutil.which("git") is None:
        return warn("not installed", f"only {command('update')} needs it: https://git-scm.com")
    git = Git(root)
    release, upstream = git("--version").split()[2], ("rev-parse", "--abbrev-ref", "@{upstream}")
    if not (root / ".git").exists() or not git.yes(*upstream):
        return warn(f"{release}; this folder follows no remote", f"{command('update')} says what to do")
    return ok(f"{release}; {command('update')} follows {git(*upstream)}")


def check_completion(root: Path) -> Finding:
    """How the Tab key completes verbs and katas in the shell that is used."""
    shell, script = Path(os.environ.get("SHELL", "")).name, Path(sys.executable).with_name("dojo")
    if shell not in ("bash", "zsh", "fish") or not script.is_file():
        return ok("for the command dojo, in bash, zsh and fish")
    line = f"_DOJO_COMPLETE={shell}_source {shlex.quote(str(script))}"
    return ok(f"in {shell}, once you have typed this:", f"{line} | source" if shell == "fish" else f'eval "$({line})"')


CHECKS = {
    "Python": check_python,
    "packages": check_packages,
    "torch": check_torch,
    "pictures": check_matplotlib,
    "judge": check_judge,
    "terminal": check_terminal,
    "file watching": check_watching,
    "disk": check_disk,
    "data": check_data,
    "DOJO_MIRROR": check_mirror,
    "git": check_git,
    "completion": check_completion,
}
NEEDS = {"torch": "torch", "pictures": "matplotlib", "file watching": "watchfiles"}  # packages
LACKING = fail("not installed, see packages")


def _asked(root: Path) -> list[str]:
    """What is asked for, such as "regex" or "tomli; python_version < '3.11'", by the clone or the installed package."""
    if not (project := root / "pyproject.toml").is_file():
        return [line.replace('"', "'") for line in requires(DISTRIBUTION) or () if "extra ==" not in line]
    asked = re.findall(r"^dependencies = \[(.*?)^\]", project.read_text("utf-8"), re.DOTALL | re.MULTILINE)[:1]
    return re.findall(r'"([^"]+)"', "".join(asked))


def _applies(marker: str) -> bool:
    """Whether a requirement is meant for this Python: the only markers here are of the kind python_version < '3.11'."""
    bound = re.search(r"python_version\s*(<|>=)\s*'3\.(\d+)'", marker)
    return bound is None or (sys.version_info[1] < int(bound.group(2))) == (bound.group(1) == "<")


def _set_up(anew: bool = False) -> str:
    """How the packages are installed here."""
    if door() == "make":
        return f"{'rm -r .venv, then ' if anew else ''}{command('start')}"
    return f"{python()} -m pip install {'--force-reinstall ' if anew else ''}-c constraints.txt -e ."


def _probe(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS
    )


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1][:100]


def _file_system(root: Path) -> str:
    """The kind of the file system on which a folder is, where the system tells."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    around = [(len(point), kind) for point, kind in mounts if root.resolve().is_relative_to(point)]
    return max(around)[1] if around else ""


def _states(root: Path, folder: Path) -> dict[str, str]:
    """For each file of data/sources.toml what is wrong with it in a folder: nothing, "missing", or its fault."""
    from ..system import data_files

    known = data_files.sources(root / "data" / "sources.toml")
    return {
        name: (source.fault((folder / name).read_bytes()) or "") if (folder / name).is_file() else "missing"
        for name, source in known.items()
    }
