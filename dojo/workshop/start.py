"""Set up the katas from this folder, with no network: python start.py [FOLDER]

Only the standard library is imported, and nothing of this project: it is copied into the bundle. Its syntax is that of
Python 3.6, so that an old one can say that it is too old.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(os.path.expanduser("~"), "gpt-katas")
ROOM = 2500000000  # bytes that it takes
SYSTEMS = {
    ("linux", "x86_64"): "linux",
    ("linux", "aarch64"): "linux-arm",
    ("darwin", "arm64"): "macos-arm",
    ("darwin", "x86_64"): "macos-intel",
    ("win32", "AMD64"): "windows",
}


class Trouble(Exception):
    """It cannot be set up; the message says why and what to do."""


def main() -> int:
    """Set up, unless that was done before, and begin; --serves only says whether this Python will do."""
    if sys.argv[1:] == ["--serves"]:
        return 0 if this_python() in served() else 1
    target = os.path.abspath(os.path.expanduser(sys.argv[1] if len(sys.argv) > 1 else HOME))
    started = time.time()
    try:
        if not os.path.exists(os.path.join(target, ".venv", ".ready")):
            set_up(target)
            print(f"Set up in {time.time() - started:.0f} seconds.\n")
    except Trouble as trouble:
        print(f"\n{trouble}")
        return 1
    print(f"Your katas are in {target}")
    typed = " ".join(os.path.relpath(word, target) if os.path.isabs(word) else word for word in begins(target))
    print(f"From now on: open a terminal there, and type  {typed}\n")
    sys.stdout.flush()
    return subprocess.call([*begins(target), "start"], cwd=target)


def set_up(target: str) -> None:
    """Copy the katas to the learner's own disk, and install what they need from the wheels here."""
    check(target)
    if not os.path.exists(target):
        say(f"Copying the katas to {target}")
        half = target + ".half"
        shutil.rmtree(half, ignore_errors=True)
        try:
            shutil.copytree(os.path.join(HERE, "gpt-katas"), half)
            os.replace(half, target)
        except (OSError, shutil.Error) as error:
            raise Trouble(f"The katas cannot be copied: {error}") from None
    say(f"Making an environment for Python {platform.python_version()}")
    run(
        [sys.executable, "-m", "venv", "--clear", os.path.join(target, ".venv")],
        target,
        "Python cannot make an environment. On Debian and Ubuntu: apt install python3-venv",
    )
    say("Installing the packages, which takes a minute or two")
    pip = [python(target), "-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check"]
    # Compiling all modules of all packages would take twice as long as the rest; what is imported is compiled then.
    quick = ["--no-compile", "--no-cache-dir"]
    offline = ["--no-index", "--find-links", os.path.join(HERE, "wheels"), "-c", "constraints.txt"]
    run(
        pip + quick + offline + ["-e", ".[room]"],
        target,
        "The packages cannot be installed. Show whoever leads the workshop what stands above.",
    )
    copy_data(target)
    for name in (".ready-room", ".ready"):  # so that make does not set it up anew
        with open(os.path.join(target, ".venv", name), "w"):
            pass


def check(target: str) -> None:
    """Whether this Python and this disk will do."""
    if this_python() not in served():
        machine = f"{sys.platform} on {platform.machine()}"
        which = f"Python {' or '.join(served())}" if served() else f"nothing for {machine}"
        raise Trouble(
            f"This is Python {this_python()}; this folder serves {which}. START-HERE says where one comes from."
        )
    if os.path.exists(target) and not os.path.exists(os.path.join(target, "katas")):
        raise Trouble(f"{target} is there already and is something else. Name another folder: start.sh FOLDER")
    above = os.path.dirname(target)
    if not os.path.isdir(above):
        raise Trouble(f"There is no folder {above}.")
    if shutil.disk_usage(above).free < ROOM:
        raise Trouble(
            f"The disk of {above} has less than {ROOM / 1e9:.1f} GB left. Make room, or name a folder on another one: "
            "start.sh FOLDER"
        )


def this_python() -> str:
    """Its version, such as 3.12."""
    bits = "" if sys.maxsize > 2**32 else " of 32 bits"
    return "{}.{}".format(*sys.version_info[:2]) + bits


def served() -> "list[str]":
    """The Pythons that there are wheels for, on this system."""
    try:
        with open(os.path.join(HERE, "bundle.json")) as file:
            systems = json.load(file)["served"]
            return list(systems.get(SYSTEMS.get((sys.platform, platform.machine())), []))
    except (OSError, ValueError, KeyError):
        raise Trouble("This folder is not whole: bundle.json is not in it. Copy all of it.") from None


def copy_data(target: str) -> None:
    """Put texts and weights where `make data` would."""
    source, downloads = os.path.join(HERE, "data"), os.path.join(target, "data", "downloads")
    if os.path.isdir(source):
        os.makedirs(downloads, exist_ok=True)
        for name in sorted(os.listdir(source)):
            say(f"Copying {name}")
            shutil.copyfile(os.path.join(source, name), os.path.join(downloads, name))


def run(words: "list[str]", folder: str, advice: str) -> None:
    """Run a program, or say what to do where it fails."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "DOJO_ROOT")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    if subprocess.call(words, cwd=folder, env=environment) != 0:
        raise Trouble(advice)


def python(target: str) -> str:
    """The Python of the environment."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(target, ".venv", *inside)


def begins(target: str) -> "list[str]":
    """What stands before a verb: make, where there is one."""
    if os.name == "posix" and shutil.which("make"):
        return ["make"]
    return [python(target), "-m", "dojo"]


def say(text: str) -> None:
    """Say what is being done."""
    print(text + " …")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
