"""Processes where the system lacks sessions and signals, as Windows does."""

import os
import subprocess
import sys

import pytest

from dojo.system import processes


@pytest.fixture
def windows(monkeypatch):
    """The commands that were run by the code under test, which is not to notice that this is no Windows."""
    monkeypatch.delattr(os, "killpg", raising=False)
    run = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run.append(command))
    return run


def test_on_windows_a_process_is_ended_with_all_that_it_started(windows, tmp_path):
    with_folder = processes.start([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path)
    processes.end(with_folder, seconds=600)
    assert windows == [["taskkill", "/F", "/T", "/PID", str(with_folder.pid)]]
    assert with_folder.returncode and with_folder.stdout.closed


def test_on_windows_nobody_ends_a_process_by_the_number_of_one_that_is_gone(windows, tmp_path):
    process = processes.start([sys.executable, "-c", ""], tmp_path)
    process.wait()
    assert processes.end(process) == 0 and windows == []


@pytest.mark.parametrize(
    ("status", "how"), [(3, "ended the process with status 3"), (0xC0000005, "crashed Python itself (0xC0000005)")]
)
def test_how_a_process_ended_is_put_into_words(status, how):
    assert processes.how_it_ended(status) == how
