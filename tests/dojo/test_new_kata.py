"""A kata is added by its files alone: it appears on the board, is judged, and its mistakes are named."""

import hashlib

import pytest

NAME = "k20_cold_softmax/cold_softmax.py"
LESSON = """# k20 · Cold softmax

Make a choice bolder.

## Steps

### Step 1 · Divide
Divide the scores by the temperature, then softmax.

## What you take away

Low temperatures are bold.

## Hints

### Step 1
<details><summary>A question</summary>

What does a temperature below 1 do to a difference?
</details>
"""
SOLUTION = '''"""Cold softmax."""

import torch

from ..k04_self_attention.self_attention import softmax


def cold_softmax(scores: torch.Tensor, temperature: float) -> torch.Tensor:
    """Softmax of the scores at a temperature."""
    # <solution step=1>
    return softmax(scores / temperature)
    # </solution>
'''
TEST = '''"""k20 cold softmax: what must be true of it."""

from hypothesis import strategies as st

from dojo.spec import check, claim, sizes


@claim(step=1, size=sizes("B V"), temperature=st.sampled_from([0.5, 2.0]))
def test_scores_are_divided(kata, size, temperature):
    """The weights are the softmax of the scores divided by the temperature."""
    scores = size.normal("B V")
    check.equal(kata.cold_softmax(scores, temperature), (scores / temperature).softmax(-1), scores=scores)
'''
MISTAKES = '''"""k20: what people get wrong."""

from dojo.spec import mistake, swap

MISTAKES = [
    mistake(
        "multiplied",
        swap("scores / temperature", "scores * temperature"),
        caught_by="test_scores_are_divided",
        explanation="The scores are multiplied. Cold is then hot.",
    ),
]
'''
NOTEBOOK = "notebooks/k20_cold_softmax.ipynb"


@pytest.fixture(scope="module")
def grown(clone):
    """A clone to which the author's four files were added; the stub is made by its verb."""
    before = contents(clone.root)
    files = {
        f"katas/{NAME.split('/')[0]}/README.md": LESSON,
        f"solutions/{NAME}": SOLUTION,
        "tests/katas/test_k20_cold_softmax.py": TEST,
        "tests/mistakes/k20_cold_softmax.py": MISTAKES,
    }
    for name, text in files.items():
        (clone.root / name).parent.mkdir(exist_ok=True)
        (clone.root / name).write_text(text, encoding="utf-8")
    said = clone.verb("stubs").stdout
    assert said == f"katas/{NAME} written\n{NOTEBOOK} written\n"
    assert clone.verb("index", "20").stdout.startswith("k20: 1 mistake, ")
    yield clone
    after = contents(clone.root)
    added = {name for name in after.keys() - before.keys() if not name.startswith(".dojo/")}
    assert added == {*files, f"katas/{NAME}", NOTEBOOK, "data/index/k20_cold_softmax.npz"}
    assert all(after[name] == digest for name, digest in before.items())


def contents(root):
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_it_appears_on_the_board_with_the_title_of_its_lesson(grown):
    assert "k20  Cold softmax" in grown.verb().stdout


def test_it_is_not_started_then_wrong_by_a_named_mistake_then_passed(grown):
    verdict = grown.json("cold_softmax")[1]
    assert (verdict["verdict"], verdict["step"]) == ("not_started", 1)
    assert verdict["stand_ins"] == [{"kata": "k04", "names": ["softmax"]}]
    plain = SOLUTION.replace("    # <solution step=1>\n", "").replace("    # </solution>\n", "")
    grown.save("20", plain.replace("scores / temperature", "temperature * scores"))
    verdict = grown.json("20")[1]
    assert (verdict["verdict"], verdict["steps"][0]["title"]) == ("failed", "Divide")
    assert [one["name"] for one in verdict["diagnosis"]] == ["multiplied"]
    grown.save("20", plain)
    assert grown.json("20")[0] == 0


def test_its_hints_solution_and_reset_work(grown):
    grown.save("20", "# my work\n")
    assert "What does a temperature below 1 do" in grown.verb("hint", "20", "--step", "1").stdout
    assert "return softmax(scores / temperature)" in grown.verb("solution", "k20").stdout
    assert "is the stub again" in grown.verb("reset", "20").stdout
    assert grown.verb("stubs", "--check").exit_code == 0
