"""What each trick of the record is worth: how many steps more the record takes without it."""

from __future__ import annotations

import io
import os
import runpy
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console

from dojo.cli.main import app
from dojo.speedrun.referee import Outcome

from ..trees import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "setsid"), reason="there is no speedrun here")
ablate = SimpleNamespace(**runpy.run_path(str(ROOT / "solutions" / "speedrun" / "ablate.py")))
RECORD = b"""class Tricks:
    one: bool = True
    two: bool = True
SHORT = Recipe(steps=10)
OTHER = Recipe(steps=7)
"""


def fake(needed):
    """A judge for whom a step takes a second, and who needs so many steps without a trick."""

    def judge(source, seed):
        lines = source.decode().splitlines()
        off, steps = lines[-2], int(lines[-1].removeprefix("SHORT.steps = OTHER.steps = "))
        needs = next(count for name, count in needed.items() if f"({name})" in off)
        return Outcome(seed, float(steps), 1.0 if steps >= needs else 2.0, 64, None)

    return judge


def test_without_a_trick_the_record_is_trained_until_it_reaches_the_target():
    needed = {"": 9, "one=False": 14, "two=False": 1000}
    found = ablate.measure(RECORD, ["one", "two"], 1.5, 2, fake(needed), lambda line: None)
    assert [(row["name"], row["steps"], row["reached"]) for row in found] == [
        ("all tricks", 9, True),
        ("one", 15, True),
        ("two", 40, False),
    ]
    assert [row["ratio"] for row in found[:2]] == [1.0, 15 / 9] and found[0]["rounds"] == 2
    said = io.StringIO()
    Console(file=said, width=120).print(ablate.table(found, 1.5))
    assert "1.67" in said.getvalue() and "over 4.44" in said.getvalue()


def test_the_record_names_its_tricks_and_its_steps():
    source = (ROOT / "solutions" / "speedrun" / "record.py").read_bytes()
    assert {"muon", "alibi", "look_back"} <= set(ablate.tricks_of(source))
    assert next(iter(ablate.recipes_of(source))) == "SHORT" and min(ablate.recipes_of(source).values()) > 0
    with pytest.raises(ValueError, match="does not say"):
        ablate.recipes_of(b"SHORT = 1")


def test_a_trick_that_is_not_there_has_plain_words():
    done = CliRunner().invoke(app, ["ablate", "--only", "magic"])
    assert done.exit_code == 2 and "There is no trick magic. There are: muon, " in " ".join(done.output.split())
