"""The pictures of README show what the program shows."""

import re

import matplotlib
import pytest

from dojo.figures import readme_pictures
from dojo.learner.session import Session

from ..trees import ROOT

WATCH, ATTENTION = (ROOT / readme_pictures.FOLDER / name for name in ("watch.svg", "attention.svg"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"-?\d+\.?\d*")


def words(svg):
    """What is read in a picture, line by line."""
    return re.findall(r"<text[^>]*>(.*?)</text>", svg)


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("DOJO_ROOT", str(ROOT))
    return Session()


def test_the_screen_is_what_make_watch_shows(session):
    here, there = readme_pictures.watch_screen(session), WATCH.read_text(encoding="utf-8")
    assert words(here) == words(there), "out of date: python -m dojo pictures --lessons"
    assert any(readme_pictures.MISTAKE in line.replace("&#160;", " ") for line in words(there))


def test_the_maps_are_what_the_command_draws_from_the_weights_that_they_hold(tmp_path):
    data, there = readme_pictures.measured(ATTENTION), ATTENTION.read_text(encoding="utf-8")
    if f"Matplotlib v{matplotlib.__version__}," not in there:
        pytest.skip(f"drawn with another matplotlib than {matplotlib.__version__}")
    readme_pictures.draw(data, tmp_path / "attention.svg")
    here = (tmp_path / "attention.svg").read_text(encoding="utf-8")
    here, there = (re.sub(r'(id="|#)[^")]+', "", text) for text in (here, there))
    numbers = [list(map(float, NUMBER.findall(re.sub(r"base64,[^\"]*", "", text)))) for text in (here, there)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.01)  # other processors round the last digit elsewhere


def test_no_head_looks_ahead():
    for head in readme_pictures.measured(ATTENTION)["heads"]:
        for at, row in enumerate(head):
            assert sum(row) == pytest.approx(1, abs=0.1) and not any(row[at + 1 :])


@pytest.mark.parametrize("path", [WATCH, ATTENTION], ids=["watch", "attention"])
def test_a_picture_is_small_fetches_nothing_and_is_described(path):
    svg = path.read_text(encoding="utf-8")
    assert len(svg) < 70_000 and not re.search(r"(url\(|src=|href=)\"?https?:", svg)
    alt = re.search(rf"!\[(.*?)\]\({re.escape(path.relative_to(ROOT).as_posix())}\)", README)
    assert alt and len(alt.group(1).split()) > 10


@pytest.mark.parametrize(("path", "ground"), [(WATCH, '<rect fill="#292929"'), (ATTENTION, 'style="fill: #ffffff"')])
def test_a_picture_has_a_background_of_its_own(path, ground):
    """Else it could be read on a light page or on a dark page only."""
    assert ground in path.read_text(encoding="utf-8")
