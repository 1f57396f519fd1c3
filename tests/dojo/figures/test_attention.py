"""The text whose attention is drawn: one that the model cannot read gets another one offered."""

from types import SimpleNamespace

import pytest

from dojo.figures.attention import UnknownText, attend


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
