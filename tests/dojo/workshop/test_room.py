"""A room: who joins, what is sent and what never is, what outlives a kill, and what strangers can do to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import asdict, replace

import pytest
from click.testing import CliRunner

from dojo.cli.main import app
from dojo.curriculum.catalog import Catalog
from dojo.learner.room import Room, Standing
from dojo.workshop import people as people_module
from dojo.workshop.people import NAME_LENGTH, NotLetIn, People, clean, read_standing
from dojo.workshop.room_file import RoomFile
from dojo.workshop.view import view

from ..trees import ROOT, copy_tree
from .rooms import FAILED, Served, free_port, until

SECRET = "def my_very_own_code(): ..."


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_tree(tmp_path_factory.mktemp("leader") / "clone", only=("k04", "k05"))


@pytest.fixture(scope="module")
def served(tree):
    """A room that the tests of this file share."""
    opened = Served(tree)
    yield opened
    opened.kill()


@pytest.fixture
def own(tmp_path):
    """A room of one's own, that may be killed."""
    opened = Served(copy_tree(tmp_path / "leader", only=("k04", "k05")))
    yield opened
    opened.kill()


def people_at(*standings, **changed):
    """A room of people A, B, … who are at these, and here."""
    room = People()
    for number, standing in enumerate(standings):
        person, _ = room.join(chr(65 + number), "")
        room.put(person, standing)
    return room


# Names and codes


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Ada", "Ada"),
        ("  Ada \n\t Lovelace ", "Ada Lovelace"),
        ("x" * 10_000, "x" * NAME_LENGTH),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a\u202eb\x00c\x1b[31m", "a b c [31m"),
        ("Łukasz 李", "Łukasz 李"),
        (" \n\x00", ""),
        ("\ud800", ""),
    ],
)
def test_a_name_is_a_line_that_can_be_printed(typed, shown):
    assert clean(typed) == shown


def test_the_same_name_twice_gets_a_number(served):
    names = [served.join(name)[1]["name"] for name in ("Twin", "twin", "Twin 2", "x" * 99, "x" * 99)]
    assert names == ["Twin", "twin 2", "Twin 2 2", "x" * 40, "x" * 36 + " 2"]


def test_without_a_name_nobody_comes_in(served):
    status, answer = served.join("\u200b\n")
    assert (status, "name" in answer["why"]) == (400, True)


def test_a_room_that_is_full_says_so(monkeypatch):
    monkeypatch.setattr(people_module, "MOST", 2)
    room = people_at(FAILED, FAILED)
    with pytest.raises(NotLetIn, match="full"):
        room.join("C", "")


def test_a_wrong_code_is_slowed_down_and_logged(served):
    before = served.said.count("a wrong code from 127.0.0.1")
    assert served.join(code="WRONGG") == (403, {"why": "That is not the code of this room."})
    assert [served.join(code="WRONGH")[0] for _ in range(5)] == [429] * 5  # nor is the right one tried meanwhile
    assert served.join()[0] == 429
    assert served.said.count("a wrong code from 127.0.0.1") == before + 1
    assert served.view()["guesses"] == before + 1
    until(lambda: served.join("Patient", code=f" {served.code.lower()} ")[0] == 200)


# What is taken, and what is not


def test_strangers_learn_nothing(served):
    served.join("Nobody's business")
    status, headers, text = served.ask("GET", "/")
    assert status == 200 and headers["content-type"].startswith("text/plain")
    assert served.code not in text and "Nobody" not in text
    for path in ("/events", "/code/1", "/lead/", "/lead/guess", "/room.sqlite", "/templates/room.html", "/..%2fweb.py"):
        assert served.ask("GET", path)[0] == 404, path
    assert served.ask("GET", "/events", Cookie="room=x")[0] == 404
    assert served.ask("POST", "/events")[0] in (404, 405)


def test_the_page_is_the_leaders_and_may_load_nothing_of_others(served):
    status, headers, text = served.ask("GET", "/", **served.cookie)
    assert status == 200 and served.code in text
    assert served.lead.split("/")[-1] not in text
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert "server" not in headers
    _, headers, _ = served.ask("GET", served.lead)
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; ")) and headers["location"] == "/"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no json", 400),
        (b"\xff\xfe", 400),
        (b"[]", 400),
        (b"[" * 30_000, 400),
        (b'{"code": 7, "name": "Ada", "token": ""}', 400),
        (b'{"code": "x"}', 400),
        (b"x" * 50_000, 413),
    ],
)
def test_a_body_that_is_none_is_refused(served, body, status):
    assert served.ask("POST", "/join", body)[0] == status


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"kata": 5}, 400),
        ({"tries": "many"}, 400),
        ({"tries": True}, 400),
        ({"mistakes": "one"}, 400),
        ({"mistakes": [1]}, 400),
        ({"code": "x" * 200_000}, 413),
        ([], 400),
        ({"unknown": 1, "since": -1e9}, 204),
        ({"tries": 10**30, "sentence": "x" * 9000, "mistakes": ["m"] * 999, "claim": "\ud800"}, 204),
    ],
)
def test_what_is_sent_is_bounded(served, sent, status):
    _, joined = served.join("Wild")
    assert served.put(joined["token"], sent) == status
    row = served.row(joined["name"])
    assert row["tries"] <= 9999 and len(row["sentence"]) <= 600 and len(row["mistakes"]) <= 6


def test_whoever_has_no_token_sends_nothing(served):
    for token in ("", "guess", served.lead.split("/")[-1]):
        assert served.put(token, asdict(FAILED)) == 401
        assert served.ask("DELETE", "/me", Authorization=f"Bearer {token}")[0] == 401


def test_the_file_is_shown_as_long_as_the_learner_wants_and_never_written(own):
    _, joined = own.join("Ada")
    number = own.row("Ada")["number"]
    own.put(joined["token"], asdict(replace(FAILED, code=SECRET)))
    assert own.row("Ada")["shown"]
    assert SECRET not in json.dumps(own.view())
    assert own.ask("GET", f"/code/{number}", **own.cookie)[2] == SECRET
    assert own.ask("GET", f"/code/{number}")[0] == 404
    own.put(joined["token"], asdict(FAILED))
    assert not own.row("Ada")["shown"] and own.ask("GET", f"/code/{number}", **own.cookie)[0] == 404
    own.put(joined["token"], asdict(replace(FAILED, code=SECRET)))
    own.ask("DELETE", "/me", Authorization=f"Bearer {joined['token']}")
    assert own.ask("GET", f"/code/{number}", **own.cookie)[0] == 404
    kept = b"".join(path.read_bytes() for path in (own.root / ".dojo" / "rooms").iterdir())
    assert b"Ada" in kept and SECRET.encode() not in kept and joined["token"].encode() not in kept


def test_the_servers_clock_counts_and_goes_on_with_the_same_claim(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(people_module.time, "time", lambda: now[0])
    room = People()
    person, _ = room.join("A", "")
    for seconds, standing in ((0, FAILED), (60, replace(FAILED, tries=2)), (60, replace(FAILED, tries=3, hints=1))):
        now[0] += seconds
        room.put(person, read_standing(asdict(standing) | {"mistakes": [], "solved": [], "at": "1970-01-01"}))
    row = view(room, Catalog(ROOT))["rows"][0]
    assert (row["seconds"], row["tries"]) == (120, 3)
    room.put(person, replace(FAILED, claim="test_other"))
    assert view(room, Catalog(ROOT))["rows"][0]["seconds"] == 0
    now[0] -= 5000  # somebody sets it
    assert view(room, Catalog(ROOT))["rows"][0]["seconds"] == 0


# What the leader sees


def test_who_is_stuck_comes_first_and_who_is_away_last():
    room = people_at(Standing("k05", 0, "passed"), FAILED, replace(FAILED, tries=7), replace(FAILED, tries=9))
    everyone = list(room.everyone.values())
    everyone[1].since -= 3000
    room.leave(everyone[3])
    rows = view(room, Catalog(ROOT))["rows"]
    assert [row["name"] for row in rows] == ["B", "C", "A", "D"]
    assert [row["stuck"] >= 1 for row in rows] == [True, True, False, True]


def test_what_to_talk_about_is_where_most_are_stuck():
    other = replace(FAILED, claim="test_causal_attention_other", sentence="Another.", mistakes=("other",))
    room = people_at(
        FAILED, FAILED, FAILED, replace(other, tries=5), Standing("k05", 0, "passed", solved=("k05", "k05"))
    )
    seen = view(room, Catalog(ROOT))
    assert seen["talk"]["sentence"] == "Another."  # one is stuck there, and of the three nobody
    assert seen["talk"]["mistakes"] == [("other", 1)] and len(seen["talk"]["hints"]) == 3
    for person in list(room.everyone.values())[:3]:
        room.put(person, replace(FAILED, tries=5, mistakes=("scaled by √d of the input", "other")))
    talk = view(room, Catalog(ROOT))["talk"]
    assert talk["people"] == 3 and dict(talk["mistakes"]) == {
        "scaled by the input width": 3,
        "scaled by √d of the input": 3,
        "other": 3,
    }
    katas = {kata["code"]: kata for kata in seen["katas"]}
    assert (katas["k05"]["through"], katas["k05"]["at"]) == (1, 4)
    assert "k16" not in katas


def test_a_claim_that_two_katas_call_alike_is_told_in_the_words_of_its_own():
    elsewhere = replace(FAILED, kata="k06", step=2, sentence="The other kata's.")
    talk = view(people_at(elsewhere, FAILED, FAILED), Catalog(ROOT))["talk"]
    assert (talk["kata"], talk["step"], talk["sentence"]) == ("k05", FAILED.step, FAILED.sentence)


def test_katas_and_claims_that_nobody_knows_do_no_harm():
    room = people_at(replace(FAILED, kata="k99", tries=9), replace(FAILED, kata="", step=7))
    assert view(room, Catalog(ROOT))["talk"]["hints"] == []


# What outlives what


def test_a_server_that_is_killed_loses_nothing_and_all_come_back(own, tmp_path):
    members = [own.member(tmp_path / str(number), "Ada") for number in range(8)]
    for number, member in enumerate(members):
        member.send(replace(FAILED, tries=number, code=SECRET if number == 3 else ""))
    until(lambda: len([row for row in own.view()["rows"] if row["here"] and row["kata"]]) == 8)
    before, code = own.view(), own.code
    own.kill()
    until(lambda: all("does not answer" in member.line for member in members))
    members[0].send(replace(FAILED, tries=42))  # nobody hears it as yet
    own.open()
    assert own.code == code
    until(lambda: sum(row["here"] for row in own.view()["rows"]) == 8)
    after = until(lambda: (seen := own.view()) and any(row["tries"] == 42 for row in seen["rows"]) and seen)
    assert {row["name"] for row in after["rows"]} == {row["name"] for row in before["rows"]}
    assert after["talk"]["mistakes"] == [["scaled by the input width", 8]]
    shown = until(lambda: [row["number"] for row in own.view()["rows"] if row["shown"]])
    assert own.ask("GET", f"/code/{shown[0]}", **own.cookie)[2] == SECRET
    for member in members:
        member.leave()
    until(lambda: all(row["left"] for row in own.view()["rows"]))


def test_a_learner_who_starts_again_is_the_same(own, tmp_path):
    first = own.member(tmp_path, "Ada")
    until(lambda: "you are Ada" in first.line)
    first.leave()
    own.join("Grace")
    again = own.member(tmp_path, "")
    until(lambda: "you are Ada" in again.line)
    renamed = own.member(tmp_path, "Grace")
    until(lambda: "you are Grace 2" in renamed.line)
    assert len(own.view()["rows"]) == 2
    (tmp_path / ".dojo" / "room.json").write_text("[broken")
    stranger = own.member(tmp_path, "Ada")
    until(lambda: "you are Ada" in stranger.line)
    assert len(own.view()["rows"]) == 3
    for member in (again, renamed, stranger):
        member.leave()


def test_a_new_room_has_another_code_and_keeps_the_old_one_aside(own, tmp_path):
    member = own.member(tmp_path, "Ada")
    until(lambda: "you are Ada" in member.line)
    code = own.code
    own.kill()
    own.open("--new")
    assert own.code != code and own.view()["rows"] == []
    until(lambda: not member.open)
    assert "not the code" in member.line
    assert len(list((own.root / ".dojo" / "rooms").glob(f"{own.port}-*.sqlite"))) == 1


def test_two_rooms_beside_each_other(served, tmp_path):
    other = Served(copy_tree(tmp_path / "other", only=("k04", "k05")))
    try:
        assert other.code != served.code
        lost = other.member(tmp_path, "Ada", code=served.code)
        until(lambda: not lost.open)
        assert "not the code of this room" in lost.line
        assert served.cookie["Cookie"].split("=")[0] != other.cookie["Cookie"].split("=")[0]
    finally:
        other.kill()


def test_a_port_that_is_taken_is_said(served):
    words = [sys.executable, "-m", "dojo", "room", "--port", str(served.port)]
    environment = os.environ | {"DOJO_ROOT": str(served.root)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert (done.returncode, f"Port {served.port} cannot be had" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_a_disk_that_is_full_is_said_and_made_up_for(tmp_path):
    room_file = RoomFile(tmp_path / "rooms" / "1.sqlite")
    pages = room_file._file.execute("pragma page_count").fetchone()[0]
    room_file._file.execute(f"pragma max_page_count = {pages}")
    for number in range(50):
        person, _ = room_file.people.join(f"{number} {'x' * 30}", "")
        room_file.people.put(person, replace(FAILED, sentence="s" * 500))
        room_file.write(person)
    assert "full" in room_file.trouble
    room_file._file.execute("pragma max_page_count = 100000")
    room_file.write(person)
    assert room_file.trouble == ""
    room_file.close()
    again = RoomFile(tmp_path / "rooms" / "1.sqlite")
    assert len(again.people.everyone) == 50 and again.people.code == room_file.people.code
    again.close()


def test_a_damaged_file_is_put_aside(tmp_path):
    path = tmp_path / "1.sqlite"
    path.write_bytes(b"no database" * 1000)
    room_file = RoomFile(path)
    assert room_file.damaged and len(list(tmp_path.glob("1-*.sqlite"))) == 1
    room_file.close()


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "rooms").write_text("a file")
    with pytest.raises(OSError):
        RoomFile(tmp_path / "rooms" / "1.sqlite")


def test_opening_a_room_loads_nothing_heavy():
    script = "import dojo.workshop.serve, sys; print({'torch', 'numpy', 'hypothesis', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_what_a_room_needs_is_said_where_it_is_not_there(tree, monkeypatch):
    monkeypatch.setenv("DOJO_ROOT", str(tree))
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "dojo.workshop.serve", raising=False)
    done = CliRunner().invoke(app, ["room"])
    assert done.exit_code == 1 and "A room needs uvicorn" in done.stderr and "-e '.[room]'" in done.stderr


# Rooms that are none


def test_an_address_where_something_else_answers(tmp_path):
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_error(404)

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    room = Room(tmp_path, f"http://127.0.0.1:{server.server_port}/", "ABCDEF", "Ada")
    room.start(lambda: None)
    until(lambda: not room.open)
    assert "is no room" in room.line
    server.shutdown()


def test_an_address_where_nobody_answers_is_tried_again_until_somebody_does(tmp_path):
    port = free_port()
    room = Room(tmp_path, f"127.0.0.1:{port}", "ABCDEF", "Ada")
    room.send(FAILED)
    room.start(lambda: None)
    until(lambda: "does not answer" in room.line)
    with socket.create_server(("127.0.0.1", port)) as silent:  # and one that hangs up without a word
        silent.accept()[0].close()
    assert room.open
    room.leave()


@pytest.mark.parametrize("address", ["", "://", "http://", "host:port", "host:99999"])
def test_what_is_no_address_is_refused(tmp_path, address):
    with pytest.raises(ValueError):
        Room(tmp_path, address, "ABCDEF", "Ada")


@pytest.mark.parametrize("code", ["", "ABC", "ABCDEFG", "12AB34"])
def test_what_is_no_code_is_refused(tmp_path, code):
    with pytest.raises(ValueError, match="6 letters"):
        Room(tmp_path, "127.0.0.1", code, "Ada")
