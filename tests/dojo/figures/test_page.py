"""The report page: what stands in it, that nothing breaks out of it, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from dojo.cli import main as cli
from dojo.curriculum.catalog import Catalog
from dojo.figures import page, tables
from dojo.figures.chart import Series, line_chart, short
from dojo.gpt.corpus import Corpus
from dojo.gpt.model import GPT, build_model, parts
from dojo.gpt.presets import Preset
from dojo.gpt.runs import History
from dojo.judge.verdict import Verdict
from dojo.learner.session import BLACK_BELT, School

from .. import browser
from ..trees import ROOT, copy_tree

EVIL = '</script><script>alert("out")</script><img src=x onerror=alert(1)>&amp;'
WORDS = f"{EVIL}to be or not to be\n"  # the characters that the model knows
TINY = Preset("tiny", lambda: Corpus("tiny", WORDS, 0.1), 24, 4, 3, 1e-2, emb_dim=8, num_heads=2, num_layers=3)


@pytest.fixture(scope="module")
def model():
    """A model of three layers and two heads that knows the characters of an evil text; it was never trained."""
    torch.set_num_threads(1)
    modules = parts(Catalog(ROOT), frozenset())[0]
    tokenizer = modules["k01"].CharTokenizer(WORDS)
    torch.manual_seed(0)
    made = build_model(modules, TINY, tokenizer.vocab_size)
    for block in made.blocks:
        torch.nn.init.normal_(block.attention.W_query.weight)  # else every head would look evenly
    return GPT("an <untrained> model", modules, TINY, tokenizer, made)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_tree(tmp_path_factory.mktemp("clone"), only=("k04", "k05"))


@pytest.fixture
def school(tree, monkeypatch):
    """A clone of two katas in which nothing was done."""
    monkeypatch.setenv("DOJO_ROOT", str(tree))
    monkeypatch.setattr(page, "CHARACTERS", 2 * page.PIECE)  # of each sample: enough to look at
    for name in ("runs", ".dojo", "data/benchmarks"):
        shutil.rmtree(tree / name, ignore_errors=True)
    return School()


def results(**changed):
    """Results of a benchmark, as `dojo/bench/results.py` describes them."""
    base = {"seconds": 0.01, "low": 0.009, "high": 0.012, "ratio": 1.0, "work": 1024, "unit": "tokens"}
    cells = [
        {"race": f"float32, forward, T = {length}", "dtype": "float32", "pass": "forward", "T": length}
        for length in (128, 256)
    ]
    rows = [{"name": "einsum", **cell, **base} for cell in cells]
    rows += [{"name": "compiled", **cells[0], "failure": "no <compiler> is at hand", "kind": "unavailable"}]
    return {
        "format": 1, "kind": "attention", "date": "2026-01-02T03:04:05+00:00", "commit": "abcdef0123456789",
        "machine": {"cpu": "A <CPU>", "device": "cpu", "threads": 2}, "versions": {"torch": "2", "python": "3"},
        "limits": {}, "sizes": {}, "rows": rows, "noisy": 0.0,
        "refused": [{"name": "yours", "reason": "a later token changed an earlier output", "kind": "refused"}],
        "left_out": ["T = 4096: too long for this machine"], **changed,
    }  # fmt: skip


# What stands in it.


def test_where_nothing_was_done_the_page_says_so_and_what_to_run(school):
    said = []
    written = page.build(school, "", said.append)
    for command in ("make start", "make train", "make attention", "make bench"):
        assert f"<code>{command}</code>" in written
    assert "0 of 2 katas solved" in written and said == []


def test_a_page_is_written_quickly_and_small(school, model, monkeypatch):
    longest = " ".join(["to be or not"] * 9)
    monkeypatch.setattr(page, "CHARACTERS", 240)
    monkeypatch.setattr(page, "latest", lambda *args: model)
    start, console = time.monotonic(), Console(record=True, width=200)
    assert page.write(school, longest, console) == 0
    path = school.root / "runs" / "report.html"
    assert time.monotonic() - start < 10 and path.stat().st_size < 6_000_000
    said = console.export_text()
    assert "Written to runs/report.html" in said and path.as_uri() in said
    assert "the model sees 24 at once" in said and "the model sees 24 at once" in path.read_text(encoding="utf-8")


def test_the_verb_says_where_the_page_is(school):
    done = CliRunner().invoke(cli.app, ["report"])
    assert done.exit_code == 0 and "Written to runs/report.html" in done.stdout


def test_progress_shows_what_is_solved_and_the_attempts(school):
    kata = school.find("4")
    school.progress.note(kata, Verdict(kata.code, "failed", 2, property="test_x"))
    written = tables.progress(school)
    assert "0 of 2 katas solved, 1 attempt" in written and "step 2 of 5, 1 attempt" in written
    school.progress.note(kata, Verdict(kata.code))
    assert "1 of 2 katas solved, 2 attempts." in tables.progress(school)
    assert "make test KATA=5" in tables.progress(school) and BLACK_BELT not in tables.progress(school)


def test_optional_katas_stand_apart_and_do_not_count(school):
    lesson = school.find("5").lesson
    before = lesson.read_text(encoding="utf-8")
    lesson.write_text(before.replace("\n\n", "\n\n*Black belt: optional.*\n\n", 1), encoding="utf-8")
    written = tables.progress(School())
    lesson.write_text(before, encoding="utf-8")
    assert "0 of 1 katas solved" in written and f"{BLACK_BELT}: 0 of 1 solved" in written


def test_damaged_runs_are_named_on_the_page_and_the_rest_stands(school):
    folder = school.root / "runs" / "verona"
    folder.mkdir(parents=True)
    (folder / "best.pt").write_bytes(b"no checkpoint")
    (folder / "history.json").write_text('{"preset": "verona", "vocabulary": "ab", "losses": [2')
    said = []
    written = page.build(school, "", said.append)
    assert len(said) == 2 and all("history.json is damaged" in note for note in said)
    assert written.count('<p class="note">') == 2
    assert "0 of 2 katas solved" in written and "There is no run yet" in written


def test_a_model_that_fails_is_said_and_the_rest_stands(model, school, monkeypatch):
    def fails(*args, **options):
        raise ZeroDivisionError("by <nothing>")

    sampling = SimpleNamespace(generate=fails)
    monkeypatch.setattr(page, "latest", lambda *args: replace(model, parts=model.parts | {"k13": sampling}))
    written = page.build(school, "", lambda note: None)
    assert "ZeroDivisionError: by &lt;nothing&gt;" in written and "0 of 2 katas solved" in written
    assert 'id="attention-data">null<' in written


def test_samples_come_at_every_temperature(model, monkeypatch):
    monkeypatch.setattr(page, "CHARACTERS", 2)
    written = page.samples(model)
    assert re.findall(r"<h3>Temperature ([\d.]+)</h3>", written) == ["0.5", "0.8", "1.0", "1.3"]
    assert "an &lt;untrained&gt; model" in written and "<untrained>" not in written


def test_the_maps_hold_what_the_model_weighs(model):
    section, data = page.attention(model, "to be", print)
    weights = model.parts["k15"].attention_weights(model.model, torch.tensor([model.tokenizer.encode("to be")]))[:, 0]
    assert (len(data["weights"]), len(data["weights"][0])) == (3, 2)
    for layer in range(3):
        for head in range(2):
            for row in range(5):
                shown = [value / 1000 for value in data["weights"][layer][head][row]]
                assert shown == pytest.approx(weights[layer, head, row, : row + 1].tolist(), abs=6e-4)
    assert data["tokens"] == list("to be") and 'text: to be"' in section


def test_a_text_that_the_model_does_not_know_is_said_and_another_is_shown(model):
    said = []
    _, data = page.attention(model, "ß", said.append)
    assert "does not know 'ß'" in said[0] and set(data["tokens"]) <= set(WORDS)


def test_results_are_shown_with_failures_and_refusals_and_only_the_newest(school):
    older = results(date="2025-12-31T00:00:00+00:00")
    written = tables.benchmarks([results(), older, results(machine={"device_name": "a GPU"})])
    assert written.count("<svg") == 2 and "2025-12-31" not in written
    for shown in ("einsum", "no &lt;compiler&gt; is at hand", "Refused: yours", "Left out: T = 4096", "A &lt;CPU&gt;"):
        assert shown in written
    assert "102k" in written  # 1,024 tokens in 10 ms
    broken = results(rows=[{"name": "einsum", "seconds": "soon", "work": 3}])
    assert "cannot be shown" in tables.benchmarks([broken])


def test_pictures_of_the_last_benchmark_are_taken_in_as_images(school):
    folder = school.root / page.RESULTS[0]
    folder.mkdir(parents=True)
    (folder / "memory.svg").write_text(EVIL)
    (folder / "roofline.svg").write_text("x" * page.LARGEST)
    written = page.build(school, "", print)
    assert re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="The peak', written) == [
        base64.b64encode(EVIL.encode()).decode()
    ]
    assert written.count("<img") == 1


def test_results_of_a_newer_version_are_named_and_left_out(school):
    folder = school.root / page.RESULTS[0]
    folder.mkdir(parents=True)
    (folder / "new.json").write_text(json.dumps(results(format=99)))
    (folder / "old.json").write_text(json.dumps(results()))
    said = []
    written = page.build(school, "", said.append)
    assert len(said) == 1 and "new.json" in said[0] and "new.json" in written and "on A &lt;CPU&gt;" in written


def test_nothing_breaks_out_of_the_page(model, school, monkeypatch):
    written = evil_page(model, school, monkeypatch)
    assert written.count("<script") == 2 and written.count("</script") == 2
    assert "<img" not in written and "alert(1)>" not in written
    data = re.search(r'id="attention-data">(.*?)</script>', written, re.DOTALL).group(1)
    assert json.loads(data)["tokens"] == [EVIL, "b"]


def evil_page(model, school, monkeypatch):
    """A page whose tokens and results are markup; a model of pairs of bytes may have such tokens."""
    attended = ([EVIL, "b"], torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]]), [0.5, 0.5])
    monkeypatch.setattr(page, "attend", lambda *args: attended)
    return build_with(model, school, monkeypatch, EVIL)


def test_a_page_that_cannot_be_written_is_said(school):
    (school.root / "runs").write_text("a file")
    console = Console(record=True, width=200)
    assert page.write(school, "", console) == 1
    assert "could not be written" in console.export_text()
    (school.root / "runs").unlink()


# Charts.


def test_a_chart_puts_points_where_they_belong():
    drawn = line_chart([Series("one", [(0, 0), (5, 10), (10, 0)])], "said <so>", "x", "y", level=("floor", 5))
    first, top, last = (
        tuple(map(float, place.split(","))) for place in re.search(r'points="([^"]+)"', drawn).group(1).split()
    )
    assert top[0] == (first[0] + last[0]) / 2 and first[1] == last[1] > top[1]
    level = float(re.search(r'class="level".*?y1="([\d.]+)"', drawn).group(1))
    assert level == pytest.approx((first[1] + top[1]) / 2, abs=0.1)
    assert 'aria-label="said &lt;so&gt;"' in drawn and ">floor<" in drawn and ">one<" in drawn


def test_a_logarithmic_chart_drops_what_has_no_logarithm():
    drawn = line_chart([Series("one", [(0, 1), (10, 1), (100, 10), (1000, float("nan"))])], "", "x", "y", log=True)
    assert len(re.search(r'points="([^"]+)"', drawn).group(1).split()) == 2
    assert ">10<" in drawn and ">100<" in drawn
    assert line_chart([Series("one", [])], "", "x", "y") == ""
    assert line_chart([Series("one", [(1, 1)])], "", "x", "y", log=True)  # a single point is no reason to fail


def test_numbers_are_short():
    assert [short(n) for n in (0, 0.25, 1500, 20_480, 3.2e6, 1e10)] == ["0", "0.25", "1,500", "20.5k", "3.2M", "10G"]


# In a browser.


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if browser.PROGRAM is None or not hasattr(os, "fork"):
        pytest.skip("no Chromium or Chrome is at hand")
    opened = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def build_with(model, school, monkeypatch, text):
    monkeypatch.setattr(page, "latest", lambda *args: model)
    monkeypatch.setattr(page, "read_runs", lambda *args: [RUN])
    monkeypatch.setattr(page, "_measured", lambda *args: [results()])
    return page.build(school, text, lambda note: None)


RUN = History("tiny", "tiny", {}, "", 0.5, [3.0, 2.5, 2.0], [(3, 2.1)])
READING = "document.getElementById('reading').textContent"
FOCUS = "[document.activeElement.dataset.row, document.activeElement.dataset.column].map(Number)"


def test_hover_and_keys_read_the_maps(tab, model, school, monkeypatch, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(build_with(model, school, monkeypatch, "to be <or>"), encoding="utf-8")
    tab.open(path)
    weights = page.attention(model, "to be <or>", print)[1]["weights"]
    tab.point('td[data-row="3"][data-column="1"]')
    assert tab.run(READING) == f"“b” (token 4) looks at “o” (token 2): {weights[0][0][3][1] / 1000:.3f}"

    for _ in range(20):  # Tab comes to the layer, the head and one cell, and to nothing else of the map
        tab.press("Tab")
        if tab.run("document.activeElement.id") == "layer":
            break
    for key in ("ArrowDown", "ArrowDown", "Tab", "ArrowDown", "Tab"):  # layer 3, head 2, into the map
        tab.press(key)
    assert tab.run("[layer.value, head.value]") == ["2", "1"]
    assert tab.run(FOCUS) == [0, 0]
    moves = ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft")
    stops = ([0, 0], [0, 0], [1, 0], [2, 0], [2, 1], [2, 2], [3, 2], [3, 1])
    for move, stop in zip(moves, stops):
        tab.press(move)
        assert tab.run(FOCUS) == stop
    said = f"“b” (token 4) looks at “o” (token 2): {weights[2][1][3][1] / 1000:.3f}"
    assert tab.run(READING) == said == tab.run("document.activeElement.getAttribute('aria-label')")
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for key, stop in (("Home", [3, 0]), ("End", [3, 3]), ("ArrowUp", [2, 2])):
        tab.press(key)
        assert tab.run(FOCUS) == stop
    assert tab.run("[...document.querySelectorAll('#map th.here')].map(th => th.textContent.at(-1))") == ["␣", "␣"]
    assert tab.complaints == [] and tab.requests == [path.as_uri()]


def test_tokens_are_text_and_never_markup(tab, model, school, monkeypatch, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(evil_page(model, school, monkeypatch), encoding="utf-8")
    tab.open(path)
    assert tab.run("document.querySelector('#map tbody th').textContent") == EVIL
    assert tab.run("document.querySelectorAll('main img, main script').length") == 0
    assert tab.complaints == [] and tab.requests == [path.as_uri()]


@pytest.mark.parametrize(("width", "dark"), [(400, False), (1100, True)], ids=["narrow and light", "wide and dark"])
def test_the_page_fits_its_window_and_can_be_read(tab, model, school, monkeypatch, tmp_path, width, dark):
    path = tmp_path / "report.html"
    path.write_text(build_with(model, school, monkeypatch, EVIL), encoding="utf-8")
    tab.open(path, width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.run("document.querySelectorAll('#map td[tabindex]').length") == 24 * 25 / 2
    wide = "[...document.querySelectorAll('.wide')].filter(box => box.scrollWidth > box.clientWidth)"
    assert tab.run(f"{wide}.every(box => box.tabIndex === 0)")
    assert tab.run(CONTRAST) == []
    assert tab.complaints == [] and tab.requests == [path.as_uri()]


# Texts whose contrast with what lies behind them is below 4.5, as WCAG 2.1 asks (success criterion 1.4.3).
CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("h1, h2, h3, p, a, code, pre, th, td, li, label, output, caption, text")];
  return texts.filter((e) => e.textContent.trim()).flatMap((e) => {
    const style = getComputedStyle(e);
    const pair = [e.tagName === "text" ? style.fill : style.color, behind(e)].map(light).sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    return ratio < 4.5 ? [`${e.tagName} ${e.textContent.slice(0, 20)} ${ratio.toFixed(2)}`] : [];
  });
})()
"""
