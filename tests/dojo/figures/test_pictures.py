"""The pictures of the lessons show what is measured, and the attention maps what a model looks at."""

from __future__ import annotations

import json
import re
from html import unescape

import matplotlib
import pytest
import torch
from rich.console import Console

from dojo.curriculum.catalog import Catalog
from dojo.figures import attention
from dojo.figures.lesson_pictures import pictures_of
from dojo.figures.run import attention_maps
from dojo.gpt import trained
from dojo.gpt.corpus import Corpus
from dojo.gpt.model import parts
from dojo.gpt.presets import Preset
from dojo.gpt.runs import read_runs

from ..trees import ROOT

CATALOG = Catalog(ROOT)
PICTURES = {picture.name: (each, picture) for each in CATALOG.katas for picture in pictures_of(each)}
EACH = [pytest.param(*pair, id=name) for name, pair in PICTURES.items()]
NUMBER = re.compile(r"-?\d+\.?\d*")
WORDS = "to be or not to be\n" * 300
TINY = Preset("tiny", lambda: Corpus("tiny", WORDS, 0.1), 8, 4, 3, 1e-2, emb_dim=8, num_heads=2, num_layers=2)


@pytest.fixture(scope="module")
def modules():
    torch.set_num_threads(1)
    return parts(CATALOG, frozenset())[0]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A catalog whose runs and cache lie in an empty folder; the quick training is a tiny one."""
    torch.set_num_threads(1)
    catalog = Catalog(ROOT)
    catalog.root = tmp_path
    for module in (trained, attention):
        monkeypatch.setattr(module, "QUICK", TINY)
    monkeypatch.setattr(attention, "train_reference", lambda *args: trained.train_reference(*args, preset=TINY))
    return catalog


def committed(kata, picture):
    return kata.lesson.with_name(f"{picture.name}.svg")


def measured(path):
    """What was measured for the picture in an SVG, which keeps it."""
    return json.loads(unescape(described(path, "description")))


def described(path, name):
    return re.search(rf"<dc:{name}>(.*?)</dc:{name}>", path.read_text(encoding="utf-8"), re.DOTALL).group(1)


def close(one, other):
    """Whether two measurements agree, but for what another processor or version of torch makes of them."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == other or isinstance(one, float) and one == pytest.approx(other, rel=0.05, abs=1e-12)


# The pictures of the lessons.


@pytest.mark.parametrize(("kata", "picture"), EACH)
def test_a_lesson_shows_what_is_measured(kata, picture, modules):
    assert close(json.loads(json.dumps(picture.measure(modules))), measured(committed(kata, picture)))


@pytest.mark.parametrize(("kata", "picture"), EACH)
def test_a_lesson_shows_what_the_command_draws(kata, picture, tmp_path):
    there = committed(kata, picture).read_text(encoding="utf-8")
    if f"Matplotlib v{matplotlib.__version__}," not in there:
        pytest.skip(f"drawn with another matplotlib than {matplotlib.__version__}")
    for path in (tmp_path / "one.svg", tmp_path / "two.svg"):
        picture.write(measured(committed(kata, picture)), kata.text, path)
    assert path.read_bytes() == (tmp_path / "one.svg").read_bytes()
    here, there = (re.sub(r'(id="|#)[^")]+', "", text) for text in (path.read_text(encoding="utf-8"), there))
    assert NUMBER.split(here) == NUMBER.split(there)
    numbers = [list(map(float, NUMBER.findall(text))) for text in (here, there)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.01)  # other processors round the last digit elsewhere


@pytest.mark.parametrize(("kata", "picture"), EACH)
def test_a_picture_is_small_and_its_lesson_says_what_one_sees(kata, picture):
    assert committed(kata, picture).stat().st_size < 60_000
    alt = unescape(described(committed(kata, picture), "title"))
    assert f"![{alt}]({picture.name}.svg)" in kata.text


@pytest.mark.parametrize("kata", [pytest.param(kata, id=kata.code) for kata in CATALOG.katas])
def test_every_picture_that_a_lesson_shows_is_there_and_described(kata):
    for alt, name in re.findall(r"!\[(.*?)\]\((.*?)\)", kata.text):
        assert kata.lesson.with_name(name).is_file()
        assert len(alt.split()) > 10


def test_a_lesson_and_its_picture_count_the_same_draws(modules):
    kata, picture = PICTURES["temperature"]
    said = re.findall(r"^  (\w+) +(\d+)", kata.text, re.MULTILINE)
    counts = measured(committed(kata, picture))["counts"].values()
    assert [int(number) for _, number in said] == [count for row in counts for count in row]


# Attention maps.


def drawn(tree, text="", name=""):
    console = Console(record=True, width=300)
    status = attention.draw(tree, frozenset(), text, name, console)
    return status, console.export_text()


def test_without_a_run_the_reference_is_trained_once_and_what_it_cannot_read_is_said(tree, monkeypatch):
    status, said = drawn(tree, "to be")
    assert status == 0 and "No trained model is at hand" in said and "the reference serves" in said
    assert "2 layers of 2 heads" in said and "Written to runs/attention.png and runs/attention.svg" in said
    assert (tree.root / "runs" / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert b"layer 2, head 2" in (tree.root / "runs" / "attention.svg").read_bytes()
    monkeypatch.setattr(attention, "train_reference", None)  # the second time it is at hand
    shown = []
    monkeypatch.setattr(attention, "attention_maps", lambda *args: shown.append(args))
    status, said = drawn(tree, "to be or not")
    assert status == 0 and "serves" not in said
    assert "12 characters and the model sees 8 at once" in said
    (_, maps, tokens, *_) = shown[0]
    assert tokens == list("to be or") and maps.shape == (2, 2, 8, 8)
    status, said = drawn(tree, "to ße")
    assert status == 2 and "does not know 'ß'" in said and "This works: " in said


def test_a_damaged_run_is_named_and_not_replaced_by_the_reference(tree):
    folder = tree.root / "runs" / "verona"
    folder.mkdir(parents=True)
    (folder / "best.pt").write_bytes(b"nothing")
    history = '{"preset": "verona", "vocabulary": "abc", "losses": [], "evaluations": [], "floor": null}'
    (folder / "history.json").write_text(history)
    status, said = drawn(tree)
    assert status == 1 and "runs/verona cannot be used" in said.replace("\\", "/") and "best.pt" in said
    (folder / "history.json").write_text("[]")
    assert drawn(tree)[0] == 1


def test_a_picture_that_cannot_be_written_is_said(tree):
    (tree.root / "runs").write_text("a file")
    status, said = drawn(tree, "to be")
    assert status == 1 and "could not be written" in said


def test_the_most_attended_tokens_are_marked_on_x(modules, tmp_path):
    axes = []

    def plot(*args):
        axes.append(modules["k15"].plot_attention(*args))
        return axes[-1]

    maps = torch.eye(4).expand(1, 2, 4, 4)
    attention_maps([tmp_path / "maps.png"], maps, list("abcd"), plot, "", [2])
    for one in axes:
        assert [label.get_weight() for label in one.get_xticklabels()] == ["normal", "normal", "bold", "normal"]
        assert {label.get_weight() for label in one.get_yticklabels()} == {"normal"}
    assert attention.most_attended([0.1, 0.9, 0.5, 0.2, 0.3, 0.4, 0.0]) == [1, 2, 5]
    assert attention.most_attended([1.0]) == []


# Loss curves.


def test_histories_of_runs_are_read_and_a_damaged_one_is_named(tmp_path):
    histories = {
        "good": '{"preset": "verona", "losses": [2.0, 1.0], "evaluations": [[2, 1.5]], "floor": 0.5}',
        "begun": '{"preset": "verona", "losses": [], "evaluations": [], "floor": null}',
        "cut": '{"preset": "verona", "losses": [2.0, ',
        "other": '{"losses": "many"}',
    }
    for name, text in histories.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "history.json").write_text(text)
    said = []
    runs = read_runs(tmp_path, said.append)
    assert [run.title for run in runs] == ["good: 2 steps, best validation loss 1.500"]
    assert (runs[0].losses, runs[0].evaluations, runs[0].floor) == ([2.0, 1.0], [(2, 1.5)], 0.5)
    assert sorted(line.split(" is damaged")[0] for line in said) == ["runs/cut/history.json", "runs/other/history.json"]
