"""The report page: what stands in it, that nothing breaks out of it, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from dojo.bench.results import FOLDERS
from dojo.cli import main as cli
from dojo.curriculum.catalog import Catalog
from dojo.figures import page, plots, sections
from dojo.figures.run import loss_curve
from dojo.gpt.corpus import Corpus
from dojo.gpt.model import GPT, build_model, parts
from dojo.gpt.presets import Preset
from dojo.gpt.runs import HEADS, History
from dojo.judge.verdict import Verdict
from dojo.learner.session import BLACK_BELT, Session

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
def session(tree, monkeypatch):
    """A clone of two katas in which nothing was done."""
    monkeypatch.setenv("DOJO_ROOT", str(tree))
    monkeypatch.setattr(page, "CHARACTERS", 2 * page.PIECE)  # of each sample: enough to look at
    for name in ("runs", ".dojo", "data/benchmarks"):
        shutil.rmtree(tree / name, ignore_errors=True)
    return Session()


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
        "limits": {}, "sizes": {"batch": 8}, "rows": rows, "noisy": 0.0,
        "refused": [{"name": "yours", "reason": "a later token changed an earlier output", "kind": "refused"}],
        "left_out": ["T = 4096: too long for this machine"], **changed,
    }  # fmt: skip


def board(session):
    return page.build(session, "")[0]


def benchmarks(*measured):
    return page.render("benchmarks.html", own=sections.benchmarks(measured, set()), others=(), pictures={})


# What stands in it.


def test_where_nothing_was_done_the_page_says_so_and_what_to_run(session):
    written, said = page.build(session, "")
    for command in ("make start", "make train", "make attention", "make bench"):
        assert f"<code>{command}</code>" in written
    assert "0 of 2 katas solved" in written and said == []


def test_a_page_is_small_and_takes_the_model_few_passes(session, model, monkeypatch):
    longest = " ".join(["to be or not"] * 9)
    monkeypatch.setattr(page, "CHARACTERS", 240)
    monkeypatch.setattr(page, "latest", lambda *args: model)
    console, passes = Console(record=True, width=200), []
    hook = model.model.register_forward_hook(lambda *call: passes.append(1))
    assert page.write(session, longest, console) == 0
    hook.remove()
    path = session.root / "runs" / "report.html"
    assert 0 < len(passes) <= 4 * 240 + 3 and path.stat().st_size < 6_000_000
    said = console.export_text()
    assert "Written to runs/report.html" in said and path.as_uri() in said
    assert "the model sees 24 at once" in said and "the model sees 24 at once" in path.read_text(encoding="utf-8")


def test_the_verb_says_where_the_page_is(session):
    done = CliRunner().invoke(cli.app, ["report"])
    assert done.exit_code == 0 and "Written to runs/report.html" in done.stdout


def test_progress_shows_what_is_solved_and_the_attempts(session):
    kata = session.find("4")
    session.progress.note(kata, Verdict(kata.code, "failed", 2, property="test_x"))
    written = board(session)
    assert "0 of 2 katas solved, 1 attempt" in written and "step 2 of 5, 1 attempt" in written
    session.progress.note(kata, Verdict(kata.code))
    assert "1 of 2 katas solved, 2 attempts." in board(session)
    assert "attempts</th>" in board(session) and "last tried" in board(session) and "hints</th>" not in board(session)
    assert "make test KATA=5" in board(session) and BLACK_BELT not in board(session)


def test_optional_katas_stand_apart_and_do_not_count(session):
    lesson = session.find("5").lesson
    before = lesson.read_text(encoding="utf-8")
    lesson.write_text(before.replace("\n\n", "\n\n*Black belt: optional.*\n\n", 1), encoding="utf-8")
    written = board(Session())
    lesson.write_text(before, encoding="utf-8")
    assert "0 of 1 katas solved" in written and f"{BLACK_BELT}: 0 of 1 solved" in written


def test_damaged_runs_are_named_on_the_page_and_the_rest_stands(session):
    folder = session.root / "runs" / "verona"
    folder.mkdir(parents=True)
    (folder / "best.pt").write_bytes(b"no checkpoint")
    (folder / "history.json").write_text('{"preset": "verona", "vocabulary": "ab", "losses": [2')
    written, said = page.build(session, "")
    assert len(said) == 2 and all("history.json is damaged" in note for note in said)
    assert written.count('<p class="note">') == 2
    assert "0 of 2 katas solved" in written and "There is no run yet" in written


def test_a_model_that_fails_is_said_and_the_rest_stands(model, session, monkeypatch):
    def fails(*args, **options):
        raise ZeroDivisionError("by <nothing>")

    sampling = SimpleNamespace(generate=fails)
    monkeypatch.setattr(page, "latest", lambda *args: replace(model, parts=model.parts | {"k13": sampling}))
    written, _ = page.build(session, "")
    assert "ZeroDivisionError: by &lt;nothing&gt;" in written and "0 of 2 katas solved" in written
    assert 'id="attention-data">null<' in written


def test_samples_come_at_every_temperature(model, monkeypatch):
    monkeypatch.setattr(page, "CHARACTERS", 2)
    written = page.render("samples.html", model=page.Shown(model.origin, page.samples(model)))
    assert re.findall(r"<h3>Temperature ([\d.]+)</h3>", written) == ["0.5", "0.8", "1.0", "1.3"]
    assert "an &lt;untrained&gt; model" in written and "<untrained>" not in written


def test_the_maps_hold_what_the_model_weighs(model):
    data = page.maps(model, "to be", print)
    section = page.render("attention.html", model=page.Shown(model.origin, {}, data))
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
    data = page.maps(model, "ß", said.append)
    assert "does not know 'ß'" in said[0] and set(data["tokens"]) <= set(WORDS)


def test_results_are_shown_with_failures_and_refusals_and_only_the_newest(session):
    older = results(date="2025-12-31T00:00:00+00:00")
    written = benchmarks(results(), older, results(machine={"device_name": "a GPU"}))
    assert written.count("<svg") == 2 and "2025-12-31" not in written
    for shown in ("einsum", "no &lt;compiler&gt; is at hand", "Refused: yours", "Left out: T = 4096", "A &lt;CPU&gt;"):
        assert shown in written
    assert "2 threads, batch 8<" in written and "102k" in written  # 1,024 tokens in 10 ms
    broken = results(rows=[{"name": "einsum", "seconds": "soon", "work": 3}])
    assert "cannot be shown" in benchmarks(broken)


def test_ones_own_results_come_first_and_those_of_others_last_and_folded(session):
    elsewhere = results(machine={"device_name": "their GPU"}, date="2026-02-03T00:00:00+00:00")
    for folder, measured in zip(FOLDERS, (results(), elsewhere)):
        (session.root / folder).mkdir(parents=True)
        (session.root / folder / "a.json").write_text(json.dumps(measured))
    written = board(session)
    parts = ("on A &lt;CPU&gt;", "<details>", "<summary>What others measured", "on their GPU", "</details>", "</main>")
    places = [written.index(part) for part in parts]
    assert places == sorted(places) and written.count("<details>") == 1


def test_where_rounds_wander_a_ratio_is_a_range(session):
    calm, wild = results()["rows"][:2]
    calm = calm | {"ratio": 0.5, "ratio_low": 0.49, "ratio_high": 0.51}
    wild = wild | {"ratio": 3.25, "ratio_low": 2.0, "ratio_high": 4.0}
    written = benchmarks(results(rows=[calm, wild], noisy=0.6))
    assert ">0.50<" in written and ">2.00 to 4.00<" in written and "3.25" not in written and "trusted" not in written
    assert "of ratios that varied by more than 10%, the middle half is given" in written
    assert "The machine was busy" not in benchmarks(results(rows=[calm]))


def test_a_table_has_the_columns_that_there_is_something_for_and_names_the_base(session):
    same = {"low": 13.9, "high": 14.1, "ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0}
    rows = [
        {"name": "record.py", "race": "to 1.9", "seconds": 13.99, **same},
        {"name": "python peer.py", "race": "to 1.9", "seconds": 28.0, "ratio": 2.0},
    ]
    written = benchmarks(results(kind="speedrun", rows=rows))
    heads = re.findall(r"<th scope=\"col\".*?>(.*?)</th>", written)
    assert heads == ["name", "time", "middle half", "times record.py"]
    assert ">14.0 s<" in written and "13.9 s to 14.1 s" in written and "python peer.py" in written


def test_times_are_in_units_for_people():
    seconds = (0.0000123, 0.00053, 0.0047, 0.1, 1, 13.99, 119, 125, 7200)
    shown = ["12.3 µs", "530 µs", "4.70 ms", "100 ms", "1.00 s", "14.0 s", "119 s", "2.08 min", "120 min"]
    assert [sections.duration(each) for each in seconds] == shown


def test_pictures_of_the_last_benchmark_are_taken_in_as_images(session):
    folder = session.root / FOLDERS[0]
    folder.mkdir(parents=True)
    (folder / "memory.svg").write_text(EVIL)
    (folder / "roofline.svg").write_text("x" * sections.LARGEST)
    written, _ = page.build(session, "")
    assert re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="The peak', written) == [
        base64.b64encode(EVIL.encode()).decode()
    ]
    assert written.count("<img") == 1


def test_results_of_a_newer_version_are_named_and_left_out(session):
    folder = session.root / FOLDERS[0]
    folder.mkdir(parents=True)
    (folder / "new.json").write_text(json.dumps(results(format=99)))
    (folder / "old.json").write_text(json.dumps(results()))
    written, said = page.build(session, "")
    assert len(said) == 1 and "new.json" in said[0] and "new.json" in written and "on A &lt;CPU&gt;" in written


def test_nothing_breaks_out_of_the_page(model, session, monkeypatch):
    written = evil_page(model, session, monkeypatch)
    assert written.count("<script") == 2 and written.count("</script") == 2
    assert "<img" not in written and "alert(1)>" not in written
    data = re.search(r'id="attention-data">(.*?)</script>', written, re.DOTALL).group(1)
    assert json.loads(data)["tokens"] == [EVIL, "b"]


def evil_page(model, session, monkeypatch):
    """A page whose tokens and results are markup; a model of pairs of bytes may have such tokens."""
    attended = ([EVIL, "b"], torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]]), [0.5, 0.5])
    monkeypatch.setattr(page, "attend", lambda *args: attended)
    return build_with(model, session, monkeypatch, EVIL)


def test_a_page_that_cannot_be_written_is_said(session):
    (session.root / "runs").write_text("a file")
    console = Console(record=True, width=200)
    assert page.write(session, "", console) == 1
    assert "could not be written" in console.export_text()
    (session.root / "runs").unlink()


# Charts.


def test_a_chart_shows_its_lines_and_takes_the_colours_of_the_page():
    drawn = loss_curve(RUN, titled=False)
    axes = drawn.axes[0]
    training, validation, floor = axes.get_lines()
    assert list(training.get_ydata()) == RUN.losses and list(validation.get_ydata()) == [2.1]
    assert set(floor.get_ydata()) == {RUN.floor} and floor.get_label() == "floor of this corpus, 0.500"
    chart = plots.chart(drawn, "said <so>")
    for part in ("var(--0072b2, #0072b2)", "var(--d55e00, #d55e00)", ">validation<", ">floor of this corpus, 0.500<"):
        assert part in chart.body
    assert "<style" not in chart.body and re.findall(r' id="([^"]*)"', chart.body) == re.findall(
        r' id="([mp][0-9a-f]{10})"', chart.body
    )
    written = page.render("loss.html", curves=[chart], runs=[["first", "<b>", "1"]], heads=HEADS[:3])
    assert "<td>first</td><td>&lt;b&gt;</td>" in written and ">parameters</th>" in written
    assert f'viewBox="{chart.view}" aria-label="said &lt;so&gt;"' in written and f">{chart.body}</svg>" in written


def test_a_name_in_a_chart_is_text_and_never_markup():
    rows = [{"name": f"{EVIL} $x$", "T": length, "work": 1, "seconds": length} for length in (128, 256)]
    body = plots.chart(sections.growth(rows, "tokens"), "").body
    assert "&lt;/script&gt;" in body and "<script" not in body and "<img" not in body


def test_growth_is_shown_where_there_are_two_lengths():
    assert "<svg" in benchmarks(results()) and "<svg" not in benchmarks(results(rows=results()["rows"][:1]))


def test_numbers_are_short():
    numbers = (0, 0.25, 1500, 4549.3, 20_480, 3.2e6, 1e10)
    assert [sections.short(n) for n in numbers] == ["0", "0.25", "1,500", "4,549", "20.5k", "3.2M", "10G"]


# In a browser.


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if browser.PROGRAM is None or not hasattr(os, "fork"):
        pytest.skip("no Chromium or Chrome is at hand")
    opened = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def build_with(model, session, monkeypatch, text):
    monkeypatch.setattr(page, "latest", lambda *args: model)
    monkeypatch.setattr(page, "read_runs", lambda *args: [RUN])
    monkeypatch.setattr(page.results, "read_all", lambda folder, say: [results()] * (folder.name == "bench"))
    return page.build(session, text)[0]


RUN = History("tiny", "tiny", {}, "", 0.5, [3.0, 2.5, 2.0], [(3, 2.1)])
READING = "document.getElementById('reading').textContent"
FOCUS = "[document.activeElement.dataset.row, document.activeElement.dataset.column].map(Number)"


def test_hover_and_keys_read_the_maps(tab, model, session, monkeypatch, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(build_with(model, session, monkeypatch, "to be <or>"), encoding="utf-8")
    tab.open(path)
    weights = page.maps(model, "to be <or>", print)["weights"]
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


def test_tokens_are_text_and_never_markup(tab, model, session, monkeypatch, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(evil_page(model, session, monkeypatch), encoding="utf-8")
    tab.open(path)
    assert tab.run("document.querySelector('#map tbody th').textContent") == EVIL
    assert tab.run("document.querySelectorAll('main img, main script').length") == 0
    assert tab.complaints == [] and tab.requests == [path.as_uri()]


@pytest.mark.parametrize(("width", "dark"), [(400, False), (1100, True)], ids=["narrow and light", "wide and dark"])
def test_the_page_fits_its_window_and_can_be_read(tab, model, session, monkeypatch, tmp_path, width, dark):
    path = tmp_path / "report.html"
    path.write_text(build_with(model, session, monkeypatch, EVIL), encoding="utf-8")
    tab.open(path, width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.run("document.querySelectorAll('#map td[tabindex]').length") == 24 * 25 / 2
    wide = "[...document.querySelectorAll('.wide')].filter(box => box.scrollWidth > box.clientWidth)"
    assert tab.run(f"{wide}.every(box => box.tabIndex === 0)")
    assert tab.run(browser.CONTRAST) == []
    assert tab.complaints == [] and tab.requests == [path.as_uri()]
