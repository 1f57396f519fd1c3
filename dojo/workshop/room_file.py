"""The file of a room, in which nothing is lost when its server is killed: SQLite with a write-ahead log. No torch here.

A file that a learner shows is never written: it is sent anew when they come back.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path

from ..system.files import timestamp
from .people import People, Person, read_standing, without_code

TABLES = """
create table if not exists room (room text, code text, leader text);
create table if not exists people (
    token text primary key, number integer, name text, standing text, since real, gone integer
);
create table if not exists named (kata text, claim text, mistake text, person integer,
    primary key (kata, claim, mistake, person));
"""


class RoomFile:
    """Keeps a room's people in a file. Where that cannot be, `trouble` says so, and it is tried again with the next.

    Raises OSError where the file cannot be opened at all.
    """

    def __init__(self, path: Path):
        self.path, self.trouble, self.damaged = path, "", False
        self._unkept: dict[str, Person] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            try:
                self._file, self.people = self._opened()
            except (sqlite3.DatabaseError, ValueError) as error:
                if isinstance(error, sqlite3.OperationalError):  # a full disk, or no permission: it may be sound
                    raise
                put_aside(path)
                self.damaged = True
                self._file, self.people = self._opened()
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from error

    def _opened(self) -> tuple[sqlite3.Connection, People]:
        file = sqlite3.connect(self.path, timeout=1.0, check_same_thread=False)
        file.execute("pragma journal_mode = wal")
        file.execute("pragma synchronous = normal")  # what is committed outlives the server, if not a power cut
        file.executescript(TABLES)
        return file, _read(file)

    def write(self, person: Person) -> None:
        """Write what there is to know of somebody, and of those who could not be written before."""
        self._unkept[person.token] = person
        try:
            with self._file:
                for each in self._unkept.values():
                    self._write(each)
        except sqlite3.Error as error:
            self.trouble = f"The room cannot be written ({error}): what happens now is lost if it is closed."
        else:
            self._unkept, self.trouble = {}, ""

    def _write(self, person: Person) -> None:
        standing = person.standing
        row = (person.token, person.number, person.name, json.dumps(asdict(without_code(standing))), person.since)
        self._file.execute("insert or replace into people values (?, ?, ?, ?, ?, ?)", (*row, int(person.left)))
        for mistake in standing.mistakes if standing.claim else ():
            named = (standing.kata, standing.claim, mistake, person.number)
            self._file.execute("insert or ignore into named values (?, ?, ?, ?)", named)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def put_aside(path: Path) -> None:
    """Keep a room's file under another name, so that the next one begins anew."""
    day = timestamp().replace(":", "").partition("+")[0]
    for end in ("", "-wal", "-shm"):
        file = path.with_name(path.name + end)
        if file.exists():
            file.replace(path.with_name(f"{path.stem}-{day}{path.suffix}{end}"))


def _read(file: sqlite3.Connection) -> People:
    """The room in a file; a new one, written there, where there is none."""
    rooms = file.execute("select room, code, leader from room").fetchall()
    people = People(*rooms[0]) if rooms else People()
    if not rooms:
        with file:
            file.execute("insert into room values (?, ?, ?)", (people.room, people.code, people.leader))
    rows = file.execute("select token, number, name, standing, since, gone from people order by number")
    for token, number, name, standing, since, gone in rows:
        person = Person(number, name, token, read_standing(json.loads(standing)), since, bool(gone))
        people.everyone[token] = person
    for kata, claim, mistake, number in file.execute("select kata, claim, mistake, person from named"):
        people.note(kata, claim, mistake, number)
    return people
