"""The text whose attention is drawn: one that the model cannot read gets another one offered."""

from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from dojo.curriculum.catalog import Catalog
from dojo.figures import attention
from dojo.figures.attention import UnknownText, attend
from dojo.figures.heads import mosaic, telling
from dojo.gpt.model import parts
from dojo.system.root import find_root


def reader(characters):
    stoi = {character: number for number, character in enumerate(characters)}
    return SimpleNamespace(tokenizer=SimpleNamespace(stoi=stoi), origin="the reference, trained for 20 seconds")


@pytest.mark.parametrize(
    "known, text, offered",
    [
        ("acdeghiklmnorstuvw,? ", "What light?", "what light?"),
        ("TOBEto be,ranh", "“To be”, or not 42 to be", "To be, or not to be"),
        ("To be, rnt", "日本語", "To be, or not to be"),
    ],
)
def test_a_text_that_works_is_offered_in_the_place_of_one_that_does_not(known, text, offered):
    gpt = reader(known)
    with pytest.raises(UnknownText) as caught:
        attend(gpt, text, print)
    message = str(caught.value)
    assert "the reference, trained for 20 seconds has read no such characters" in message
    assert message.endswith(f"\nThis works: make attention TEXT='{offered}'")
    assert set(offered) <= set(known)


def heads(layers, count, T, distances):
    """Maps in which a head, (layer, head), looks so many tokens back, and all others at the first token."""
    maps = torch.zeros(layers, count, T, T)
    maps[..., 0] = 1
    for (layer, head), back in distances.items():
        maps[layer, head] = 0
        for row in range(T):
            maps[layer, head, row, max(0, row - back)] = 1
    return maps


def test_the_heads_drawn_large_are_those_that_look_at_something():
    at = {(2, 3): 0, (0, 1): 1, (3, 0): 2}
    assert telling(heads(4, 5, 8, at), 3) == list(at)
    assert len(telling(heads(4, 5, 2, {}))) == 6 and telling(heads(4, 5, 1, {})) == [(0, 0)]


def test_all_maps_stand_in_one_image_a_layer_a_row():
    maps = torch.rand(2, 3, 4, 4)
    image = mosaic(maps)
    assert image.shape == (10, 15)
    for layer in range(2):
        for head in range(3):
            assert torch.equal(image[5 * layer : 5 * layer + 4, 5 * head : 5 * head + 4], maps[layer, head])
    assert image[4].isnan().all() and image[:, 9].isnan().all()


@pytest.mark.parametrize(("layers", "line"), [(2, "Most attended, as marked"), (10, "Drawn large, as layer.head: 3.2")])
def test_the_heads_of_published_weights_are_drawn(tmp_path, monkeypatch, capsys, layers, line):
    modules, maps = parts(Catalog(find_root()), frozenset())[0], heads(layers, 8, 5, {(layers // 4, 1): 1})
    model = SimpleNamespace(tokenizer=None, origin="a model", parts=modules, preset=SimpleNamespace(context_length=5))
    model.tokens, model.attention = lambda text: text.split(), lambda text: maps[:, None]
    monkeypatch.setattr(attention, "load", lambda catalog, solved, weights: model)
    catalog = SimpleNamespace(root=tmp_path)
    assert attention.draw(catalog, frozenset(), "a b c d e", "", Console(width=120), "gpt2") == 0
    shown = capsys.readouterr().out
    assert f"{layers} layers of 8 heads, of a model\n{line}" in shown
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"attention.png", "attention.svg"}
