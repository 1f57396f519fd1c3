"""The doctor says of each thing whether it is in order and what to do, with nothing but Python to stand on."""

import hashlib
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from dojo.learner import doctor

from ..trees import MAKE, ROOT

BARE = [sys.executable, "-S", "-m", "dojo"]  # without site-packages: nothing is installed but Python


def run(command, **environment):
    environment = os.environ | {"DOJO_ROOT": str(ROOT), "DOJO_MIRROR": "", "PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8")


def level(line):
    return line[0]


@pytest.fixture
def tree(tmp_path):
    """A folder with the data files and one source, "text.txt", that can be fetched."""
    (tmp_path / "data" / "downloads").mkdir(parents=True)
    for name in ("verona.toml", "small_ranks.tiktoken"):
        (tmp_path / "data" / name).write_text("")
    digest = hashlib.sha256(b"text").hexdigest()
    source = f'["text.txt"]\nurl = "https://example.org/text.txt"\nsize = 4\nsha256 = "{digest}"\n'
    (tmp_path / "data" / "sources.toml").write_text(source)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_with_everything_there_nothing_is_to_mend():
    done = run([sys.executable, "-m", "dojo", "doctor"])
    lines = [line for line in done.stdout.splitlines() if line and not line.lstrip().startswith("->")]
    assert [line[6:19].rstrip() for line in lines[:-1]] == list(doctor.CHECKS)
    assert {line[:4].rstrip() for line in lines[:-1]} <= {"ok", "warn"}, done.stdout
    assert lines[-1].endswith(" 0 to mend.") and done.returncode == 0 and done.stderr == ""
    assert re.search(r"^ok    torch          \d+\.\d+\S*, on .*, \d+ threads?$", done.stdout, re.MULTILINE)
    assert "\033" not in done.stdout


def test_with_nothing_but_python_it_says_what_to_do_and_fails():
    done = run([*BARE, "doctor"])
    assert done.returncode == 1 and done.stderr == ""
    assert re.search(r"^FAIL  packages       not here: torch, .*rich", done.stdout, re.MULTILINE)
    assert "-> make start" in done.stdout and "FAIL  torch          not installed, see packages" in done.stdout
    assert "ok    Python" in done.stdout and done.stdout.endswith(" 4 to mend.\n")


def test_with_nothing_but_python_the_other_verbs_point_to_the_doctor():
    done = run([*BARE, "test", "5"])
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "`make start` sets everything up; `python3 -m dojo doctor` says what is amiss." in done.stderr


@pytest.mark.skipif(not MAKE, reason="there is no make")
def test_make_doctor_sets_nothing_up(tmp_path):
    """Nor does it need what is set up: without .venv it takes BOOTSTRAP."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (tmp_path / "Makefile").write_text(makefile, encoding="utf-8")
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    command = ["make", "-C", str(tmp_path), f"BOOTSTRAP={bare}", "doctor"]
    assert "FAIL  packages" in run(command).stdout
    assert not (tmp_path / ".venv").exists()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    assert "FAIL  packages" in run(command).stdout
    (tmp_path / ".venv" / "bin" / "python").unlink()
    (tmp_path / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    assert "ok    packages" in run(command).stdout


def test_an_old_python_is_told_so_before_anything_else():
    source = (ROOT / "dojo" / "__main__.py").read_text(encoding="utf-8")
    fake = "import sys; sys.version_info, sys.version = (3, 6, 15), '3.6.15 (default)'\n"
    done = run([sys.executable, "-c", f"{fake}exec({source!r})"])
    assert done.returncode == 1
    assert done.stderr == "FAIL  Python 3.6.15 is too old, 3.10 or newer is needed: make BOOTSTRAP=python3.12\n"


def test_a_check_that_breaks_is_a_line_and_not_the_end(monkeypatch, capsys):
    checks = {"one": lambda root: 1 / 0, "two": lambda root: (doctor.FAIL, "amiss", "mend it")}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    assert doctor.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "warn  one            could not be looked at: ZeroDivisionError: division by zero",
        "FAIL  two            amiss",
        "                     -> mend it",
        "",
        "0 in order, 1 to know of, 1 to mend.",
    ]


def test_levels_are_told_in_colour_as_well_where_there_is_colour(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "CHECKS", {"one": lambda root: (doctor.FAIL, "amiss", "")})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    doctor.main()
    assert "\033[31mFAIL\033[0m  one" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    doctor.main()
    assert "\033" not in capsys.readouterr().out


# Packages and torch.


def test_a_package_that_is_missing_or_of_another_version_is_named(tree):
    project = (tree / "pyproject.toml").read_text().replace('"rich",', '"rich",\n    "no-such-thing",')
    (tree / "pyproject.toml").write_text(project)
    assert doctor.check_packages(tree)[:2] == (doctor.FAIL, "not here: no-such-thing")
    (tree / "pyproject.toml").write_text(project.replace('"no-such-thing",', ""))
    pins = re.sub(r"^click==.*", "click==0.1", (tree / "constraints.txt").read_text(), flags=re.MULTILINE)
    (tree / "constraints.txt").write_text(pins)
    what, found, _ = doctor.check_packages(tree)
    assert what == doctor.WARN and re.fullmatch(r"click \S+ instead of 0\.1", found)


@pytest.mark.parametrize(
    ("marker", "applies"),
    [
        ("", True),
        (" python_version < '3.11'", False),
        (" python_version >= '3.11'", True),
        ("python_version < '3.12'", True),
        (" python_version >= '3.12'", False),
    ],
)
def test_a_requirement_for_another_python_is_none(monkeypatch, marker, applies):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 11, 7))
    assert doctor._applies(marker) is applies


PROBES = {
    "cannot be imported": (1, "", "Traceback\nOSError: libcudart.so is missing", "FAIL", "libcudart.so is missing"),
    "was killed": (-9, "", "", "FAIL", "it ended with status -9"),
    "computes on CUDA": (0, '["2.13.0", "NVIDIA H200", 8, ""]', "", "ok", "2.13.0, on NVIDIA H200, 8 threads"),
    "does not compute": (0, '["2.13.0", "MPS", 1, "out of memory"]', "", "warn", "on MPS, 1 thread: out of memory"),
}


@pytest.mark.parametrize(("status", "out", "err", "what", "said"), PROBES.values(), ids=PROBES.keys())
def test_torch(monkeypatch, tree, status, out, err, what, said):
    answer = SimpleNamespace(returncode=status, stdout=out, stderr=err)
    monkeypatch.setattr(doctor, "_probe", lambda code: answer)
    line = doctor.check_torch(tree)
    assert level(line) == what and said in line[1] and bool(line[2]) is (what != "ok")


def test_a_backend_that_matplotlib_does_not_know(monkeypatch, tree):
    monkeypatch.setenv("MPLBACKEND", "no-such-backend")
    what, found, todo = doctor.check_matplotlib(tree)
    assert what == doctor.FAIL and "no-such-backend" in found and todo == "unset MPLBACKEND"
    monkeypatch.setenv("MPLBACKEND", "agg")
    assert doctor.check_matplotlib(tree) == (doctor.OK, "matplotlib, backend agg", "")


# The place and the terminal.


@pytest.mark.parametrize(
    ("size", "environment", "what", "said"),
    [
        ((100, 30), {"LANG": "en_US.UTF-8", "TERM": "xterm"}, "ok", "100x30, colour"),
        ((100, 30), {"LANG": "en_US.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}, "ok", "no colour"),
        ((100, 30), {"LANG": "en_US.UTF-8", "TERM": "dumb"}, "ok", "no colour"),
        ((40, 10), {"LANG": "en_US.UTF-8"}, "warn", "40x10"),
        ((100, 30), {"LANG": "en_US.UTF-8", "LC_ALL": "C"}, "warn", "locale C"),
        ((100, 30), {}, "warn", "locale C"),
    ],
)
def test_the_terminal(monkeypatch, tree, size, environment, what, said):
    for name in ("LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size(size))
    line = doctor.check_terminal(tree)
    assert level(line) == what and said in line[1]


@pytest.mark.parametrize(
    ("kind", "what"), [("ext4", "ok"), ("", "ok"), ("9p", "warn"), ("fuse.sshfs", "warn"), ("nfs4", "warn")]
)
def test_saves_that_go_unnoticed(monkeypatch, tree, kind, what):
    monkeypatch.setattr(doctor, "_file_system", lambda root: kind)
    line = doctor.check_watching(tree)
    assert level(line) == what and ("WATCHFILES_FORCE_POLLING=1" in line[2]) is (what == "warn")


@pytest.mark.parametrize(("free", "what"), [(50e9, "ok"), (0.3e9, "warn"), (0.05e9, "FAIL")])
def test_room_on_the_disk(monkeypatch, tree, free, what):
    monkeypatch.setattr("shutil.disk_usage", lambda root: SimpleNamespace(free=free))
    assert level(doctor.check_disk(tree)) == what


def test_a_folder_that_cannot_be_written(monkeypatch, tree):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert doctor.check_disk(tree)[1].endswith("cannot be written")


# Data, mirror, git.


def test_data_that_is_there_missing_or_damaged(tree):
    assert doctor.check_data(tree)[:2] == (doctor.WARN, "not fetched: text.txt")
    (tree / "data" / "downloads" / "text.txt").write_text("texts")
    assert doctor.check_data(tree) == (
        doctor.FAIL,
        "text.txt is damaged: it has 5 bytes instead of 4",
        "make data",
    )
    (tree / "data" / "downloads" / "text.txt").write_text("text")
    assert doctor.check_data(tree) == (doctor.OK, "text.txt", "")
    (tree / "data" / "verona.toml").unlink()
    assert doctor.check_data(tree)[2] == "git checkout -- data/verona.toml"


def test_the_mirror(monkeypatch, tree):
    monkeypatch.delenv("DOJO_MIRROR", raising=False)
    assert level(doctor.check_mirror(tree)) == doctor.OK
    monkeypatch.setenv("DOJO_MIRROR", str(tree / "stick"))
    assert level(doctor.check_mirror(tree)) == doctor.FAIL
    (tree / "stick").mkdir()
    assert level(doctor.check_mirror(tree)) == doctor.WARN
    (tree / "stick" / "text.txt").write_text("tex!")
    assert level(doctor.check_mirror(tree)) == doctor.FAIL
    (tree / "stick" / "text.txt").write_text("text")
    assert level(doctor.check_mirror(tree)) == doctor.OK


def test_git(monkeypatch, tree):
    assert "follows no remote" in doctor.check_git(tree)[1]
    monkeypatch.setenv("PATH", "")
    assert doctor.check_git(tree)[:2] == (doctor.WARN, "not installed")


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", 'eval "$(_DOJO_COMPLETE=bash_source {})"'),
        ("zsh", 'eval "$(_DOJO_COMPLETE=zsh_source {})"'),
        ("fish", "_DOJO_COMPLETE=fish_source {} | source"),
        ("csh", ""),
    ],
)
def test_the_doctor_says_how_tab_completes(monkeypatch, tmp_path, shell, line):
    (tmp_path / "dojo").write_text("")
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert doctor.check_completion(ROOT)[::2] == ("ok", line.format(tmp_path / "dojo"))
