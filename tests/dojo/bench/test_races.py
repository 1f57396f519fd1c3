"""The races of the katas: all that race prove themselves, and what is wrong is refused; the lessons ask first."""

from __future__ import annotations

import re

import pytest

from dojo.bench import timing
from dojo.bench.comparison import Sizes
from dojo.curriculum.catalog import Catalog, section
from dojo.sandbox.loader import Workspace
from dojo.system.files import load_module

from ..learners import swapped
from ..trees import ROOT

CATALOG = Catalog(ROOT)
WORKSPACE = Workspace(CATALOG)
K18 = {"SMALL": (1, 4, 4), "BATCH": (2, 3, 3), "GPT2": (1, 6, 1)}  # batch, prompt, new tokens
SMALL = {  # what a race is about, made small
    "k01": {"CHARACTERS": 300, "LETTERS": (20, 40)},
    "k04": {"SHAPE": (2, 5, 12), "STEPS": 2},
    "k05": {"SHAPES": ((1, 7, 12), (2, 5, 12))},
    "k06": {"SIZES": Sizes(batch=2, heads=3, d_in=12, width=12, tokens=5)},
    "k07": {"SHAPE": (2, 3, 12)},
    "k08": {"SHAPE": (2, 3, 12)},
    "k11": {"TOKENS": 5, "VOCABULARY": 70},
    "k12": {"T": 5, "BATCH": 2},
    "k13": {"BATCHES": (1, 2), "NEW": 5},
    "k14": {"WIDTH": 20, "LAYERS": 2},
    "k18": {name: ((70, 16, 8, 2, 2), amounts) for name, amounts in K18.items()},
    "k20": {"CHARACTERS": (300, 600), "MERGES": 5},
}
WRONG = {
    "k01": ("best = min(pair_ranks)", "best = next((rank for rank in pair_ranks if rank < math.inf), math.inf)"),
    "k04": ("key.shape[-1] ** 0.5", "key.shape[-1]"),
    "k05": ("-torch.inf", "0.0"),
    "k06": ("query / query.shape[-1] ** 0.5", "query"),
    "k07": ("torch.sqrt(variance + self.eps)", "(variance + self.eps)"),
    "k08": ("x**3", "x**2"),
    "k11": ("return -picked.mean()", "return -picked.sum()"),
    "k12": ("optimizer.zero_grad()", "pass"),
    "k13": ("return logits.argmax(dim=-1)", "return logits.argmin(dim=-1)"),
    "k14": ("torch.save(state, file)", 'torch.save(state | {"step": 0, "model": {}}, file)'),
    "k18": ("return model.lm_head(", "return -model.lm_head("),
    "k20": ("counts.subtract(count_pairs(old))", "pass"),
}
RACING = {code: CATALOG.find(code) for code in WRONG}


@pytest.fixture
def races(monkeypatch, tmp_path):
    """All races of a kata, made small, with a learner's module in them."""
    monkeypatch.chdir(tmp_path)

    def begin(kata, learners):
        module = load_module(kata.races)
        for name, value in SMALL.get(kata.code, {}).items():
            monkeypatch.setattr(module, name, value)
        return module.races(learners, WORKSPACE.reference(kata))

    return begin


@pytest.mark.parametrize("code", RACING)
def test_all_that_race_prove_themselves_and_can_be_called(races, code):
    titles = set()
    for one in races(RACING[code], WORKSPACE.reference(RACING[code])):
        assert one.title not in titles and one.work > 0 and one.unit
        titles.add(one.title)
        names = [racer.name for racer in one.racers]
        assert len(set(names)) == len(names) >= 3 and any(name.startswith("yours") for name in names)
        for racer in one.racers:
            racer.prove()
            racer.call()
    assert titles


@pytest.mark.parametrize("code", RACING)
def test_without_a_learners_code_the_others_race(races, code):
    names = [racer.name for one in races(RACING[code], None) for racer in one.racers]
    assert names and not [name for name in names if name.startswith("yours")]


@pytest.mark.parametrize("code", WRONG)
def test_a_wrong_racer_is_refused(races, code):
    kata = RACING[code]
    text = swapped(*WRONG[code], kata.solution.read_text(encoding="utf-8"))
    wrong = WORKSPACE.variant(kata, text, "wrong").module
    refused = []
    for one in races(kata, wrong):
        for racer in one.racers:
            try:
                racer.prove()
            except timing.Refused as error:
                refused.append((racer.name.split(",")[0], str(error)))
    assert {name for name, _ in refused} == {"yours"} and all(reason for _, reason in refused)


@pytest.mark.parametrize("kata", RACING.values(), ids=RACING)
def test_the_lesson_of_a_kata_that_races_asks_first_and_explains_afterwards(kata):
    exercise = section(kata.text, "## Race it")
    assert len(exercise.splitlines()) <= 12
    assert exercise.index("?") < exercise.index(f"make bench KATA={kata.number}\n") < exercise.index("<details>")
    headings = re.findall(r"^## (.+)$", kata.text, re.MULTILINE)
    assert headings[headings.index("Race it") - 1 :][:3] == ["What you take away", "Race it", "Look further"]
