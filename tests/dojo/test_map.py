"""dojo/README.md, the map: every room and every name in it is there, and the rooms keep to their budgets."""

import ast
import re

import pytest

from .trees import ROOT

DOJO = ROOT / "dojo"
MAP = (DOJO / "README.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?::([\w.]+))?`", MAP)))


def rows(heading):
    """The cells of each row of the table below a heading, without the table's own head."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", MAP, re.DOTALL | re.MULTILINE).group(1)
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


CHECKED = {path.relative_to(DOJO).as_posix(): path for path in DOJO.rglob("*.py")}
CHECKED |= {path.relative_to(ROOT).as_posix(): path for path in ROOT.glob("tests/[bk]*/*.py")}  # benchmarks, katas
PRIVATE = rows("What breaks when torch or Hypothesis moves")


def text_of(path):
    return path.read_text(encoding="utf-8")


def defined(body):
    """The names that statements define, each with the statements inside it."""
    names = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names[node.name] = node.body
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            if isinstance(target, ast.Name):
                names[target.id] = []
    return names


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}:{name}" for file, name in NAMED])
def test_what_the_map_names_is_there(file, name):
    body = ast.parse(text_of((ROOT if file.startswith("tests/") else DOJO) / file)).body
    for part in name.split(".") if name else []:
        assert part in defined(body), f"{file} has no {name} (any more): bring dojo/README.md up to date"
        body = defined(body)[part]


def test_every_room_is_on_the_map_in_the_order_of_the_contract():
    listed = [room.strip("`") for room, *_ in rows("The rooms")]
    folders = {path.parent.name for path in DOJO.glob("*/__init__.py")}
    layers = text_of(ROOT / "pyproject.toml").split("layers = [")[1].split("]")[0]
    contract = [layer for layer in re.findall(r'"([^"]+)"', layers) if ":" not in layer][::-1]
    assert listed == [*contract, "entry points"] and set(contract) == folders


@pytest.mark.parametrize(("room", "most"), [row[:2] for row in rows("The rooms")])
def test_a_room_keeps_to_its_budget(room, most):
    files = DOJO.glob("*.py") if room == "entry points" else (DOJO / room.strip("`")).rglob("*.py")
    lines = sum(len(text_of(path).splitlines()) for path in files)
    assert lines <= int(most), f"{room} has {lines} lines: delete some, or say in the commit why it needs more"


def test_the_rules_are_answered_in_one_hop():
    rules = rows("Where is the rule for …")
    assert len(rules) >= 20 and len({rule for rule, _ in rules}) == len(rules)
    assert [rule for rule, where in rules if not re.match(r"`[\w/]+\.py:[\w.]+`", where)] == []


@pytest.mark.parametrize(("part", "files"), [row[:2] for row in PRIVATE])
def test_a_private_part_is_touched_where_the_map_says(part, files):
    touching = {name for name, path in CHECKED.items() if part.strip("`") in text_of(path)}
    assert touching == set(re.findall(r"`([^`]+)`", files))


def test_every_private_part_of_torch_and_hypothesis_is_on_the_map():
    private = re.compile(r"\b(?:torch|hypothesis)\.(?:\w+\.)*?(?:_[a-z]\w*|internal)\b")
    found = {part for path in CHECKED.values() for part in private.findall(text_of(path))}
    assert found <= {part.strip("`") for part, *_ in PRIVATE}
