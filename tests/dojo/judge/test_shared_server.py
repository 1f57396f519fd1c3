"""One server for all commands in a clone: each gets its own answer or a plain line, whatever becomes of the server."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dojo.curriculum.catalog import Catalog
from dojo.judge import client, request_queue, shared_server
from dojo.judge import server as judge_server
from dojo.judge.client import Judge
from dojo.judge.messages import Request, line_of

from ..learners import MASK, SOLUTION, STEP_1, STUB, swapped
from ..trees import ROOT, copy_tree

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a server is shared only where processes can be forked")
LOOP = swapped(MASK, "while True: pass")


@pytest.fixture(scope="module")
def folder():
    """The user's runtime folder for these tests; its path is short, as those of sockets must be."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", name)
        patch.setenv("DOJO_SERVER", "1")
        patch.delenv("CI", raising=False)
        yield Path(name, f"dojo-{os.getuid()}")


@pytest.fixture(scope="module")
def root(folder, tmp_path_factory):
    root = copy_tree(tmp_path_factory.mktemp("shared") / "clone", only=("k04", "k05"))
    yield root
    shared_server.end(root)


def ask(root, text=STUB, kata="5", judge=None):
    """The verdict on a text that is saved as a kata's file, asked for by a newcomer unless a judge is given."""
    k05 = Catalog(root).find(kata)
    k05.file.write_text(text, encoding="utf-8")
    if judge is not None:
        return judge.verdict(k05)
    with Judge(root) as newcomer:
        return newcomer.verdict(k05)


def process(root):
    standing = shared_server.status(root)
    return standing and standing.process


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    try:
        return os.waitpid(number, os.WNOHANG)[0] == number  # a child of this process is there until that has noticed
    except ChildProcessError:
        return False


def command(root, *words, **environment):
    """`dojo WORDS`, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "dojo", *words],
        cwd=ROOT,
        env=os.environ | {"DOJO_ROOT": str(root)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


# Who shares it.


def test_all_who_ask_share_a_server(root):
    assert (ask(root).verdict, ask(root, SOLUTION).verdict) == ("not_started", "passed")
    server = process(root)
    done = command(root, "test", "5")
    assert "Passed, in" in done.communicate()[0] and done.returncode == 0
    assert process(root) == server


def test_a_test_panel_asks_it_and_reports_each_claim_that_fails(root, monkeypatch):
    monkeypatch.setattr(shared_server, "HOME", root)  # there pytest finds dojo in the clone
    k05 = Catalog(root).find("5")
    wrong = swapped(MASK, MASK.replace("diagonal=1", "diagonal=0"))
    for text, status, told in ((SOLUTION, 0, " passed in "), (wrong, 1, " skipped")):
        k05.file.write_text(text, encoding="utf-8")
        panel = [sys.executable, "-m", "pytest", str(k05.tests)]
        done = subprocess.run(panel, cwd=root, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == status and told in done.stdout
    assert shared_server.end(root)


def test_the_socket_is_the_users_alone(root, folder):
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_later_question_ends_the_earlier_one_of_the_same_asker(root):
    with Judge(root) as judge:
        k05 = Catalog(root).find("5")
        k05.file.write_text(LOOP, encoding="utf-8")
        judge.ask(k05)
        time.sleep(0.5)
        k05.file.write_text(STUB, encoding="utf-8")
        judge.ask(k05)
        assert judge.answer().message.startswith(request_queue.CANCELLED)
        assert judge.answer().verdict == "not_started"


def test_askers_at_once_get_each_its_own_answer(root):
    katas = {name: Catalog(root).find(name) for name in ("4", "5")}
    for kata in katas.values():
        kata.file.write_bytes(kata.solution.read_bytes())
    answers = {}

    def asks(name):
        for turn in range(4):
            with Judge(root) as judge:
                answers[name, turn] = judge.verdict(katas[name])

    threads = [threading.Thread(target=asks, args=(name,)) for name in katas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all((answer.kata, answer.verdict) == (katas[name].code, "passed") for (name, _), answer in answers.items())


def test_two_clones_have_two_servers(root, tmp_path):
    other = copy_tree(tmp_path / "other", only=("k04", "k05"))
    try:
        assert (ask(root, SOLUTION).verdict, ask(other, STEP_1).step) == ("passed", 2)
        assert process(root) != process(other)
    finally:
        shared_server.end(other)


def test_who_neither_ends_its_line_nor_reads_its_answer_holds_nobody_up(root):
    ask(root)
    silent = [shared_server._connection(shared_server._address(root)) for _ in range(2)]
    silent[0].sendall(b'{"root": ')
    k05 = Catalog(root).find("5")
    silent[1].sendall(line_of(Request(str(root), k05.slug, [], stamp=shared_server.stamp(root))).encode())
    assert ask(root).verdict == "not_started"
    for connection in silent:
        connection.close()


# Interrupted, stopped, killed.


@pytest.mark.skipif(not Path("/proc").exists(), reason="children are listed in /proc")
def test_an_interrupt_gives_the_verdict_up_and_the_server_stays(root):
    ask(root)
    server = process(root)
    Catalog(root).find("5").file.write_text(LOOP, encoding="utf-8")
    waiting = command(root, "test", "5")
    until(lambda: children(server))
    waiting.send_signal(signal.SIGINT)
    assert "Aborted" in waiting.communicate()[0] and waiting.returncode != 0
    until(lambda: not children(server))  # long before the loop's time is over
    assert ask(root).verdict == "not_started" and process(root) == server


def children(number):
    listed = Path(f"/proc/{number}/task/{number}/children")
    return listed.read_text().split() if listed.exists() else []


def test_it_can_be_seen_and_stopped(root):
    ask(root)
    server = process(root)
    seen = command(root, "judge", COLUMNS="200").communicate()[0]
    assert f"The judge's server is process {server}, started " in seen and "dojo judge --stop" in seen
    assert "it ends" in command(root, "judge", "--stop", COLUMNS="200").communicate()[0]
    until(lambda: is_gone(server))
    assert "No server of the judge runs for this clone." in command(root, "judge", COLUMNS="200").communicate()[0]


def test_a_server_killed_in_the_middle_of_a_verdict_is_started_anew(root):
    with Judge(root) as judge:
        ask(root, judge=judge)
        server = process(root)
        k05 = Catalog(root).find("5")
        k05.file.write_text(LOOP, encoding="utf-8")
        judge.ask(k05)
        time.sleep(0.5)
        k05.file.write_text(STUB, encoding="utf-8")
        os.kill(server, signal.SIGKILL)
        assert judge.answer().verdict == "not_started"
        assert process(root) != server


def test_a_socket_left_by_a_killed_server_is_replaced(root):
    ask(root)
    server = process(root)
    os.kill(server, signal.SIGKILL)
    until(lambda: is_gone(server))
    assert shared_server._address(root).exists() and process(root) is None
    assert ask(root).verdict == "not_started" and process(root) is not None


def test_a_server_that_does_not_answer_is_left(root, monkeypatch):
    """It is a stopped one here; whoever waits has a server of its own, and nobody finds the other any more."""
    ask(root)
    server = process(root)
    monkeypatch.setattr(client, "SILENCE", 0.3)
    monkeypatch.setattr(shared_server, "ANSWERS", 0.3)
    os.kill(server, signal.SIGSTOP)
    try:
        with Judge(root) as judge:
            judge.ask(Catalog(root).find("5"))
            monkeypatch.setattr(client, "SILENCE", 60.0)
            judge._server._socket.settimeout(0.3)
            assert judge.answer().verdict == "not_started"
        assert process(root) != server
    finally:
        os.kill(server, signal.SIGCONT)
    until(lambda: is_gone(server))


def test_a_server_that_cannot_start_is_told_of_in_its_last_words(root, monkeypatch, tmp_path):
    shared_server.end(root)
    (tmp_path / "torch.py").write_text("raise ImportError('torch is not whole')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("dojo.system.processes.HOME", tmp_path)
    monkeypatch.chdir(root)
    with pytest.raises(client.JudgeError, match="could not start or went away: ImportError: torch is not whole"):
        ask(root)


# Other files, another place, another time.


@pytest.mark.parametrize("name", ["tests/katas/test_k05_causal_attention.py", "solutions/k04_self_attention/new.py"])
def test_a_server_of_other_files_makes_room(root, name):
    with Judge(root) as judge:  # one that stays connected is served by the new one as well
        ask(root, judge=judge)
        server = process(root)
        with (root / name).open("a") as file:
            file.write("# another\n")
        assert ask(root, judge=judge).verdict == "not_started"
        assert process(root) not in (server, None)
        until(lambda: is_gone(server))


def test_settings_that_shape_a_verdict_have_a_server_of_their_own(root, monkeypatch):
    ask(root)
    server = process(root)
    monkeypatch.setenv("DOJO_PATIENCE", "2")
    assert ask(root).verdict == "not_started"
    assert process(root) not in (server, None)


def test_what_cannot_be_read_is_not_answered_and_ends_the_server(root):
    ask(root)
    server = process(root)
    with shared_server._connection(shared_server._address(root)) as connection:
        connection.sendall(b'{"another": "version"}\n')
        assert connection.recv(1) == b""
    until(lambda: is_gone(server))
    assert ask(root).verdict == "not_started"


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_server_ends_when_its_clone_is_gone(folder, tmp_path, how):
    root = copy_tree(tmp_path / "clone", only=("k04", "k05"))
    ask(root)
    server = process(root)
    if how == "moved":
        (tmp_path / "clone").rename(tmp_path / "moved")
        assert ask(tmp_path / "moved").verdict == "not_started"
        assert shared_server.end(tmp_path / "moved").process != server
    else:
        shutil.rmtree(root)
    shared_server.status(root)  # it looks once a minute, and when it is asked
    until(lambda: is_gone(server))


@pytest.fixture
def listening(folder, tmp_path, monkeypatch):
    """RequestQueue, of whom there are none yet, and their socket."""
    monkeypatch.chdir(tmp_path)
    address = folder.parent / "tried.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen()
    there = request_queue.RequestQueue("stamp", listener)
    yield there, address
    there.close()


def test_a_server_ends_after_ten_minutes_without_askers_whatever_the_clock_says(listening, monkeypatch):
    there, address = listening
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(address))
        there.attend(1.0)
        started = time.monotonic()
        monkeypatch.setattr(time, "time", lambda: 0.0)  # set back by years
        monkeypatch.setattr(time, "monotonic", lambda: started + 3000.0)  # or a laptop slept meanwhile
        assert not there.over()  # someone is there
    there.attend(1.0)
    assert not there.over()  # it begins to count when the last has left
    monkeypatch.setattr(time, "monotonic", lambda: started + 3000.0 + request_queue.IDLE + 1.0)
    assert there.over()


def test_a_server_whose_socket_was_swept_away_ends_and_leaves_the_next_one_alone(listening):
    there, address = listening
    address.rename(address.with_suffix(".swept"))
    address.write_text("another server's")
    assert there.over()
    assert address.read_text() == "another server's"
    address.unlink()


# Where no server can be shared.


def test_a_folder_that_others_can_open_is_not_used(root, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"dojo-{os.getuid()}").mkdir()
    (tmp_path / f"dojo-{os.getuid()}").chmod(0o755)
    assert ask(root).verdict == "not_started"
    assert list((tmp_path / f"dojo-{os.getuid()}").iterdir()) == []
    done = command(root, "judge", COLUMNS="200")
    assert "is not a folder that only you can open" in done.communicate()[0] and done.returncode == 1


@pytest.mark.parametrize("kind", ["missing", "file", "link", "long"])
def test_a_folder_that_cannot_be_had_is_done_without(root, monkeypatch, tmp_path, kind):
    within = tmp_path / ("long" * 30 if kind == "long" else "folder")
    if kind == "file":
        within.write_text("")
    elif kind != "missing":
        within.mkdir()
    if kind == "link":
        (within / f"dojo-{os.getuid()}").symlink_to(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(within))
    assert ask(root).verdict == "not_started"
    with pytest.raises(OSError):
        shared_server.connect(root, "stamp")


def test_a_full_disk_leads_to_a_server_of_ones_own(root, monkeypatch):
    def full(self, address):
        raise OSError(errno.ENOSPC, "No space left on device")

    shared_server.end(root)
    monkeypatch.setattr(socket.socket, "bind", full)
    assert ask(root).verdict == "not_started" and process(root) is None


@pytest.mark.parametrize("setting", [("CI", "true"), ("DOJO_SERVER", "0")])
def test_unasked_in_ci_no_server_is_left_behind(root, monkeypatch, setting):
    shared_server.end(root)
    monkeypatch.setenv(*setting)
    assert ask(root).verdict == "not_started" and process(root) is None


def test_asked_to_end_while_it_prepares_a_server_ends_where_it_stands(monkeypatch):
    handlers, requests = [], SimpleNamespace(attend=lambda seconds=0: None, answer=lambda verdict: None)
    requests.next = iter([Request("", "k05_causal_attention", []), None]).__next__
    requests.over = lambda: bool(handlers)

    def prepare(*_):  # it judges here, and what judges would take SystemExit for the code's own
        handlers.append(signal.getsignal(signal.SIGTERM))
        requests.next = lambda: None
        yield

    monkeypatch.setattr(judge_server, "supervise", lambda *_: None)
    monkeypatch.setattr(judge_server, "prepare", prepare)
    before = signal.signal(signal.SIGTERM, ends := lambda number, frame: None)
    try:
        judge_server._serve(requests)
        assert handlers == [signal.SIG_DFL] and signal.getsignal(signal.SIGTERM) is ends
    finally:
        signal.signal(signal.SIGTERM, before)


def test_where_no_process_can_be_forked_there_is_a_server_of_ones_own(root, monkeypatch):
    shared_server.end(root)
    monkeypatch.delattr(os, "fork")
    assert not shared_server.allowed() and ask(root).verdict == "not_started"
    with pytest.raises(OSError, match="cannot fork"):
        shared_server.status(root)
