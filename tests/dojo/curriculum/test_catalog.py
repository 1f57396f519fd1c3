"""Katas are found from their folders, and by whatever a learner calls them."""

import pytest

from dojo.curriculum.catalog import Catalog, Kata, UnknownKata, section
from dojo.system.root import find_root

from ..trees import ROOT

CATALOG = Catalog(ROOT)
K05 = CATALOG.find("5")


@pytest.mark.parametrize(
    "name", ["5", "05", "k5", "k05", "K05", " causal_attention ", "causal-attention", "causal_attention.py", K05.slug]
)
def test_a_kata_is_found_by_any_of_its_names(name):
    assert CATALOG.find(name) == K05


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("casual_attention", "Did you mean causal_attention (k05)?"),
        ("norm", "Did you mean layer_norm (k07)?"),
        ("multi-head", "Did you mean multi_head_attention (k06)?"),
        ("attention", "Did you mean self_attention (k04), causal_attention (k05), "),
        ("attention", "attention_maps (k15) or flash_attention (k19)?"),
        ("99", f"There is no kata 99: they go from 1 to {CATALOG.katas[-1].number}."),
        ("0", f"they go from 1 to {CATALOG.katas[-1].number}"),
        ("²", "`make` lists them."),
        ("zzz", "`make` lists them."),
    ],
)
def test_an_unknown_name_says_what_might_be_meant(name, said):
    with pytest.raises(UnknownKata) as caught:
        CATALOG.find(name)
    assert said in str(caught.value)


def test_katas_come_in_the_order_of_their_numbers():
    assert [kata.number for kata in CATALOG.required] == list(range(1, 16))
    assert CATALOG.katas == CATALOG.required + CATALOG.optional


@pytest.mark.parametrize(
    ("lesson", "optional"),
    [
        ("# k01 · Tokens\n\n*Black belt: optional.*\n\nText to integers.\n", True),
        ("# k01 · Tokens\n\nText to integers.\n\n*Black belt: optional.*\n", False),
        ("# k01 · Tokens\n\nText to integers, *Black belt: optional.*\n", False),
        ("", False),
    ],
)
def test_a_kata_is_optional_when_its_lesson_says_so_below_the_title(tmp_path, lesson, optional):
    kata = Kata(tmp_path, "k01_tokens")
    kata.solution.parent.mkdir(parents=True)
    kata.solution.touch()
    kata.lesson.parent.mkdir(parents=True)
    kata.lesson.write_text(lesson, encoding="utf-8")
    catalog = Catalog(tmp_path)
    assert (catalog.optional, catalog.required) == (([kata], []) if optional else ([], [kata]))


def test_a_kata_needs_what_its_solution_imports():
    assert K05.needs == {"k04_self_attention": ["softmax"]}


def test_steps_and_hints_come_from_the_headings_of_the_lesson():
    assert K05.title == "Causal attention"
    assert K05.steps == {1: "The mask", 2: "Masked softmax", 3: "Dropout", 4: "Causal attention"}
    assert [kind for kind, _ in K05.hints(2)] == ["A question", "A direction", "Nearly the line"]
    assert K05.hints(9) == []


def test_hints_of_a_step_may_be_on_topics_that_claims_are_named_for():
    k01 = CATALOG.find("1")
    assert [k01.topic(2, name) for name in ("test_decode_gives_the_text_of_the_ids", "test_encode", "")] == [
        *("decode", "encode", "")
    ]
    encode, decode = k01.hints(2, "encode"), k01.hints(2, "decode")
    assert len(decode) == 3 and k01.hints(2) == encode + decode
    assert "join" in decode[1][1] and "join" not in encode[1][1]
    assert K05.topic(2, "test_decode") == ""


def test_what_no_topic_of_a_step_is_about_gets_the_hints_on_the_step_itself():
    assert K05.topic(4, "test_dropout_is_on_in_training_only") == "dropout"
    assert K05.topic(4, "test_output_is_causal_attention") == ""
    itself, dropout = K05.hints(4, ""), K05.hints(4, "dropout")
    assert len(itself) == len(dropout) == 3 and K05.hints(4) == itself + dropout


def test_a_topic_may_name_the_words_of_its_claims_where_a_reader_does_not_see_them():
    k12 = CATALOG.find("12")
    assert k12.topic(1, "test_a_long_gradient_is_cut_to_the_norm") == "clipping"


def test_a_section_ends_at_the_next_heading_of_its_level():
    text = "# A\n\n## B\none\n### C · more\ntwo\n## D\nthree\n"
    assert section(text, "## B") == "one\n### C · more\ntwo"
    assert section(text, "### C") == "two"
    assert section(text, "## E") == ""


def test_a_folder_without_a_solution_is_no_kata(tmp_path):
    (tmp_path / "solutions" / "k01_tokens").mkdir(parents=True)
    assert Catalog(tmp_path).katas == []
    with pytest.raises(UnknownKata):
        Catalog(tmp_path).find("1")


def test_the_root_is_the_one_chosen_or_the_nearest_above(tmp_path, monkeypatch):
    below = tmp_path / "katas" / "k01_tokens"
    below.mkdir(parents=True)
    (tmp_path / "solutions").mkdir()
    monkeypatch.delenv("DOJO_ROOT", raising=False)
    monkeypatch.chdir(below)
    assert find_root() == tmp_path.resolve()
    monkeypatch.setenv("DOJO_ROOT", str(ROOT))
    assert find_root() == ROOT
