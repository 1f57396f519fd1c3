"""Keys come one by one, as a person pressed them."""

import sys
from types import SimpleNamespace

import pytest

from dojo.learner import keys
from dojo.learner.watch import Loop


def pressed():
    """The keys that `read_keys` takes from what was typed."""
    read = []
    keys.read_keys(read.append)
    return read


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [([b"hq"], ["h", "q"]), ([b"\x1b[A", b"n"], ["\x1b[A", "n"]), ([b"\xc3\xa0"], ["à"]), ([], [])],
    ids=["typed ahead", "an arrow", "no ASCII", "nothing"],
)
def test_what_is_typed_is_taken_apart_and_an_arrow_is_one_key(monkeypatch, chunks, expected):
    chunks = iter([*chunks, b""])
    monkeypatch.setattr("os.read", lambda file, size: next(chunks))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: 0))
    assert pressed() == expected


@pytest.fixture
def typed(monkeypatch):
    """What is typed on a machine that says it is Windows, key by key."""
    keys_typed = []

    def getwch():
        if not keys_typed:
            raise EOFError
        return keys_typed.pop(0)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(getwch=getwch))
    monkeypatch.setattr("sys.platform", "win32")
    return keys_typed


def test_on_windows_an_arrow_is_one_key_too_and_no_letter(typed):
    """Control and an arrow send a small s there, which would show the solution."""
    typed += ["h", "\xe0", "s", "\0", "t", "q"]
    assert pressed() == ["h", "\0s", "\0t", "q"]


def test_on_windows_an_interrupt_is_a_key_that_ends_the_loop(typed):
    typed += ["\x03"]
    loop = SimpleNamespace()
    keys.read_keys(lambda key: Loop.press(loop, key))
    assert loop.ending.status == 130
