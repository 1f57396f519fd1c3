"""The leader's page in a real browser, with a room of sixty learners behind it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

import pytest

from dojo.learner.room import Room, Standing

from .. import browser
from ..trees import copy_tree
from .rooms import FAILED, Served, until

LEARNERS = 60
MEMORY = 150  # megabytes that the server may take
EVIL = "<img src=x onerror=alert(1)>"
NAMES = "[...document.querySelectorAll('#rows .name')].map((name) => name.textContent)"
pytestmark = pytest.mark.skipif(
    browser.PROGRAM is None or not hasattr(os, "fork"), reason="no Chromium or Chrome is at hand"
)


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    opened = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def served(tmp_path):
    opened = Served(copy_tree(tmp_path / "leader", only=("k04", "k05")))
    yield opened
    opened.kill()


@pytest.fixture
def page(served, tab):
    """The page of a room in which nobody is as yet."""
    tab.open(f"http://127.0.0.1:{served.port}{served.lead}")
    until(lambda: "Nobody is here" in tab.run("document.body.innerText"))
    return tab


def text(tab):
    return tab.run("document.body.innerText")


def put(served, name, standing):
    token = served.join(name)[1]["token"]
    served.put(token, standing.__dict__)
    return token


def memory(pid):
    """Megabytes that a process has in memory, where the system says so."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
    except OSError:
        return 0


def test_what_the_page_shows(page, served):
    put(served, EVIL, replace(FAILED, sentence=EVIL, mistakes=(EVIL,)))
    until(lambda: page.run(f"{NAMES}.length") == 1)
    assert page.run("document.querySelectorAll('main img, main script').length") == 0
    assert text(page).count(EVIL) == 3  # the name, the sentence and what it looks like
    token = put(served, "Slow", replace(FAILED, step=4, tries=6, hints=2, code="def mine(): ..."))
    put(served, "Swift", Standing("k05", 0, "passed", solved=("k04", "k05")))
    until(lambda: page.run(NAMES) == ["Slow", EVIL, "Swift"])
    shown = text(page)
    assert served.code in shown and "Slow · stuck" in shown and "3 of 3 connected" in shown
    assert "k05 · Causal attention, step 4: 2 are at it" in shown and "scaled by the input width (1)" in shown
    assert "A question" in shown and "1 of 3, 2 at it" in shown
    assert served.lead.split("/")[-1] not in page.run(
        "location.href + document.documentElement.outerHTML + document.cookie"
    )

    page.run("document.querySelector('tr.stuck button').click()")
    until(lambda: "def mine(): ..." in text(page))
    page.run("document.querySelector('dialog button').click()")
    served.put(token, FAILED.__dict__)
    until(lambda: page.run("document.querySelectorAll('#rows button:not([hidden])').length") == 0)
    page.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'n'}))")
    assert "Slow" not in text(page) and "stuck" in text(page)
    assert page.complaints == []
    assert {address.split("/")[2] for address in page.requests if "://" in address} == {f"127.0.0.1:{served.port}"}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1920])
def test_the_page_can_be_read(tab, served, dark, width):
    put(served, "x" * 40, replace(FAILED, tries=9, sentence="word " * 100, mistakes=("y" * 100, "z")))
    put(served, "Swift", Standing("k05", 0, "passed", solved=("k04", "k05")))
    gone = put(served, "Gone", FAILED)
    served.ask("DELETE", "/me", Authorization=f"Bearer {gone}")
    tab.open(f"http://127.0.0.1:{served.port}{served.lead}", width, 900, dark)
    until(lambda: tab.run(f"{NAMES}.length") == 3)
    assert tab.run(browser.CONTRAST) == []
    assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")
    for column in ("td.who", "td:nth-child(3)"):
        assert tab.run(f"document.querySelector('{column}').offsetWidth") > 150
    assert [said for said in tab.complaints if f":{served.port}/" in said] == []  # rooms of other tests are gone


def test_sixty_learners_who_save_and_a_server_that_is_killed(page, served, tmp_path):
    members = [Room(tmp_path / str(n), f"127.0.0.1:{served.port}", served.code, f"L{n}") for n in range(LEARNERS)]
    over = threading.Event()

    def save(number, member):
        tries = 0
        while not over.wait(5 * (number + 1) / LEARNERS if not tries else 5):
            tries += 1
            member.send(replace(FAILED, tries=tries, code="def mine(): ..." if number == 3 else ""))

    threads = [threading.Thread(target=save, args=pair, daemon=True) for pair in enumerate(members)]
    for member, thread in zip(members, threads):
        member.start(lambda: None)
        thread.start()
    try:
        until(lambda: f"{LEARNERS} of {LEARNERS} connected" in text(page))
        late, _ = served.join("Last")[1], time.sleep(0.1)
        served.put(late["token"], replace(FAILED, tries=99).__dict__)
        until(lambda: page.run(NAMES)[0] == "Last")  # stuck most, and at the top of a busy page
        assert memory(served.process.pid) < MEMORY
        served.kill()
        until(lambda: "does not answer" in text(page))
        served.open()
        until(lambda: f"{LEARNERS} of {LEARNERS + 1} connected" in text(page))
        assert sorted(page.run(NAMES)) == sorted([f"L{number}" for number in range(LEARNERS)] + ["Last"])
    finally:
        over.set()
        for member in members:
            member.leave()
