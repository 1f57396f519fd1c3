"""Notebooks are made of lessons and stubs: nothing is lost, and every cell is where its step is."""

import json
import re

import pytest

from dojo.curriculum import notebooks, stubs
from dojo.curriculum.catalog import Catalog

from ..trees import ROOT

KATAS = Catalog(ROOT).katas
EACH = pytest.mark.parametrize("kata", KATAS, ids=lambda kata: kata.code)


def cells(kata, kind):
    content = json.loads(notebooks.notebook_of(kata))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def test_notebooks_and_the_links_to_them_are_up_to_date():
    assert notebooks.outdated(KATAS) == []


@EACH
def test_a_stub_is_its_pieces(kata):
    stub = stubs.stub_of(kata)
    pieces = notebooks.pieces(stub)
    assert [step for piece in pieces for step in piece.steps] == list(kata.steps)
    text, above = notebooks.joined(kata, {})
    assert text == stubs.SEAL.sub("", stub).rstrip() + "\n"
    lines = text.splitlines()
    assert all(lines[above[piece.steps[0]]] == piece.text.splitlines()[0] for piece in pieces)


@EACH
def test_a_notebook_holds_the_lesson_and_a_cell_for_each_piece(kata):
    code = cells(kata, "code")
    assert "dojo init" not in code[0] and '"init", "gpt-katas"' in code[0] and code[0].endswith("%load_ext dojo")
    steps = [int(step) for step in re.findall(r"^%%kata \d+ --step (\d+)$", "\n".join(code), re.MULTILINE)]
    assert steps == [piece.steps[0] for piece in notebooks.pieces(stubs.stub_of(kata))]
    assert f"%kata {kata.number} --save" in code
    text = "\n".join(cells(kata, "markdown"))
    for heading in re.findall(r"^## .+$", kata.text, re.MULTILINE):
        assert heading in text or heading in ("## Steps", "## Hints")
    for step in kata.steps:
        assert all(hint in text for _, hint in kata.hints(step))


@EACH
def test_pictures_are_inside_and_links_lead_somewhere(kata):
    content = json.loads(notebooks.notebook_of(kata))
    for cell in content["cells"]:
        text = "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
        shown = set(re.findall(r"\]\(attachment:([^)]+)\)", text))
        assert shown == set(cell.get("attachments", {}))
        for target in re.findall(r"\]\((\.\./[^)#]+)", text):
            assert (ROOT / "notebooks" / target).exists(), target


def test_a_cell_takes_the_place_of_its_piece(kata=KATAS[4]):
    text, above = notebooks.joined(kata, {2: "\n\ndef masked_softmax(): ...\n\n"})
    assert text.splitlines()[above[2]] == "def masked_softmax(): ..."
    assert "def causal_mask" in text and text.count("masked_softmax") == 1


def test_a_step_that_is_not_there_is_refused(kata=KATAS[4]):
    with pytest.raises(LookupError, match="k05 has no step 7: it has 1, 2, 3, 4"):
        notebooks.piece_of(kata, 7)


def test_the_address_is_set_in_one_place():
    address = notebooks.address(ROOT).removeprefix("https://github.com/")
    named = re.findall(r"codespaces\.new/([\w.-]+/[\w.-]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert named == [address]
    assert all(f"{notebooks.COLAB}/{address}/blob/" in kata.text for kata in KATAS)
