"""The speedrun: whoever breaks a rule is refused by its name, a right submission enters the leaderboard."""

from __future__ import annotations

import io
import os

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from dojo.bench import results
from dojo.bench.pairs import Pairs
from dojo.cli.main import app
from dojo.curriculum.catalog import Catalog
from dojo.speedrun import leaderboard, rules
from dojo.speedrun import race as speedrun
from dojo.speedrun.referee import Split, judge
from dojo.speedrun.rules import RuleBroken

from ..trees import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "setsid"), reason="there is no speedrun here")
WORDS = ("the cat ", "a dog ", "my house ")
TEXT = Split.of("".join(WORDS[i * i * 7 % 11 % 3] + WORDS[i % 3] for i in range(400)))
GOOD = """
import os
from pathlib import Path

import torch
from torch import nn


class Model(nn.Module):
    context_length = 64

    def __init__(self, counts):
        super().__init__()
        self.logits = nn.Parameter((counts / counts.sum(1, keepdim=True)).log())
        self.calls = 0

    def forward(self, ids):
        self.calls += 1
        logits = self.logits[ids]
        return logits  # ANSWER


def train(ids, vocab_size, seed):
    counts = torch.full((vocab_size, vocab_size), 0.1)
    counts.index_put_((ids[:-1], ids[1:]), torch.ones(len(ids) - 1), accumulate=True)
    model = Model(counts)
    pass  # TRAIN
    return model
"""
TARGET = 1.0  # nats; the pairs of characters of GOOD reach it
FUTURE = "future = torch.nn.functional.one_hot(ids.roll(-1, 1), logits.shape[-1]); return logits + future"
LOCAL = "Local = type('Local', (Model,), {}); return Local(counts)"


def training(code):
    return GOOD.replace("pass  # TRAIN", code)


def answering(code):
    return GOOD.replace("return logits  # ANSWER", code)


def lines_before(source, code):
    return source[: source.index(code)].count("\n") + 1


BROKEN = {
    "peeks": ("train split", "opens /", training(f"open({str(ROOT / 'data' / 'sources.toml')!r}).read()")),
    "peeks and keeps quiet": (
        "train split",
        "opens /",
        training("\n    try: open('/x/valid.txt')\n    except BaseException: pass"),
    ),
    "peeks by torch": ("train split", "opens /valid", training("torch.from_file('/valid.txt', size=9)")),
    "peeks by a link": ("train split", "links to /x", training("os.symlink('/x/valid.txt', 'seen'); open('seen')")),
    "downloads": ("train split", "connection", training("import socket; socket.create_connection(('127.0.0.1', 9))")),
    "starts a process": ("alone", "another process", training("os.system('true')")),
    "forks": ("alone", "another process", training("os.fork()")),
    "writes outside": ("fresh", "/kept", training("open('/kept', 'w')")),
    "writes beside": ("fresh", "../kept", training("Path('../kept').mkdir()")),
    "many threads": ("two threads", "16 threads", training("torch.set_num_threads(16)")),
    "runs for ever": ("time", "within 1 s", training("\n    while True: pass")),
    "wants all memory": ("memory", "line", training("torch.empty(1 << 42)")),
    "floods": ("output", "65,536 bytes", training("\n    while True: print('x' * 99)")),
    "crashes": ("no crash", "ZeroDivisionError, line", training("1 / 0")),
    "leaves": ("no crash", "status 7", training("os._exit(7)")),
    "is no Python": ("no crash", "SyntaxError, line 1", "def train(:"),
    "has no train": ("one file", "no function train", "x = 1"),
    "is long": ("one file", "40,", GOOD + "#" * 40_000),
    "returns nothing": ("one file", "returns None", GOOD.replace("return model", "return None")),
    "hides its class": ("one file", "top of the file", training(LOCAL)),
    "sees little": ("context", "is 32", GOOD.replace("= 64", "= 32")),
    "wrong shape": ("logits", "not (", answering("return logits[:, -1]")),
    "not finite": ("logits", "finite", answering("return logits / 0")),
    "fails when asked": ("no crash", "KeyError", answering("return {}[1]")),
    "sees the future": ("causal", "later tokens", answering(FUTURE)),
    "sees other rows": ("causal", "other rows", answering("return logits + logits.mean(0, keepdim=True)")),
    "remembers": ("no memory", "asked the same", answering("return logits * self.calls")),
    "sleeps when asked": ("evaluation", "within 1 s", answering("import time; time.sleep(9); return logits")),
    "knows nothing": ("target", "not 1", answering("return 0 * logits")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_submission_that_breaks_a_rule_is_refused_by_its_name(monkeypatch, name):
    rule, said, source = BROKEN[name]
    limit = {"time": "TRAINING", "evaluation": "EVALUATION"}.get(rule)
    if limit:
        monkeypatch.setattr(rules, limit, 1.0)
    with pytest.raises(RuleBroken) as refused:
        judge(source.encode(), "mine.py", TEXT, TARGET)
    assert (refused.value.rule, said in str(refused.value)) == (rule, True), str(refused.value)


def test_every_rule_refuses_somebody():
    assert {rule for rule, _, _ in BROKEN.values()} == set(rules.RULES)


def test_the_line_that_fails_is_named():
    source = training("1 / 0")
    with pytest.raises(RuleBroken, match=f"line {lines_before(source, '1 / 0')}:"):
        judge(source.encode(), "mine.py", TEXT, TARGET)


def test_the_loss_is_that_of_every_token_of_the_validation_split():
    found = judge(GOOD.encode(), "mine.py", TEXT, TARGET, seed=3)
    assert found.printed == ""
    module = {}
    exec(GOOD, module)
    logits = module["train"](TEXT.train.long(), TEXT.vocab_size, 3)(TEXT.valid[:-1].long())
    assert found.loss == pytest.approx(torch.nn.functional.cross_entropy(logits, TEXT.valid[1:].long()).item(), 1e-5)
    assert (found.seed, found.context_length, found.parameters) == (3, 64, TEXT.vocab_size**2)


def test_it_is_trained_on_the_train_split_with_the_seed():
    told = "assert ids.tolist() == [{}] and seed == 5 and vocab_size == {}"
    told = told.format(", ".join(map(str, TEXT.train.tolist())), TEXT.vocab_size)
    judge(training(told).encode(), "mine.py", TEXT, TARGET, seed=5)


def test_a_submission_that_asks_for_the_target_is_told_it():
    source = training("assert target == 1.5").replace("vocab_size, seed)", "vocab_size, seed, target)")
    judge(source.encode(), "mine.py", TEXT, 1.5)


def test_a_process_begins_with_torch_and_nothing_of_whoever_judges(monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    clean = (
        "import sys",
        "assert not {'pytest', 'hypothesis', 'click', 'rich', 'dojo.speedrun.referee'} & set(sys.modules)",
        "assert 'SECRET' not in os.environ and os.getcwd() == os.environ['HOME'] and os.listdir() == []",
        "assert os.read(0, 1) == b'' and os.getsid(0) == os.getpid()",
    )
    judge(training("; ".join(clean)).encode(), "mine.py", TEXT, TARGET)


def test_nothing_is_kept_from_one_seed_to_the_next():
    kept = "places = [Path.home() / 'kept', Path('kept'), Path(os.environ['TMPDIR']) / 'also']"
    source = training(
        f"{kept}; assert not any(one.exists() for one in places); [one.write_text('x') for one in places]"
    )
    source = source.replace("return model", "print('learned'); return model")
    for _ in range(2):
        assert judge(source.encode(), "mine.py", TEXT, TARGET).printed == "learned"


def test_training_put_off_until_the_first_answer_is_on_the_clock():
    late = "import time; time.sleep((self.calls == 1) * 2.0); return logits"
    assert judge(answering(late).encode(), "mine.py", TEXT, TARGET).seconds > 1.4


def test_a_right_submission_enters_the_leaderboard(tmp_path, monkeypatch):
    monkeypatch.setattr(Split, "shakespeare", classmethod(lambda cls: TEXT))
    path, shown = tmp_path / "mine.py", io.StringIO()
    path.write_text(GOOD)
    for _ in range(2):  # the same file again takes the place of the first
        assert speedrun.run(path, tmp_path, Console(file=shown, width=200), speedrun.Race(TARGET)) == 0
    (entry,) = leaderboard.read(tmp_path / ".dojo" / "speedrun.json")
    assert entry["name"] == "mine.py" and len(set(entry["seeds"])) == 3
    assert all(loss <= TARGET for loss in entry["losses"]) and all(seconds > 0 for seconds in entry["seconds"])
    assert "mine.py" in shown.getvalue() and f"{leaderboard.median(entry):.2f}" in shown.getvalue()


def test_a_race_is_recorded_with_the_times_that_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(Split, "shakespeare", classmethod(lambda cls: TEXT))
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    console = Console(file=io.StringIO(), width=200)

    def recorded(**asked):
        assert speedrun.run(path, tmp_path, console, speedrun.Race(TARGET, record=True, **asked)) == 0
        (kept,) = (tmp_path / "data" / "benchmarks").glob("speedrun-1-cpu-*.json")
        return results.read(kept)

    found = recorded(seeds=1)
    (row,) = found["rows"]
    assert (found["kind"], row["name"], row["rounds"], row["ratio"]) == ("speedrun", "mine.py", 1, 1.0)
    assert row["figures"]["loss"] <= TARGET and found["machine"]["load_after"] is not None

    def pairs(ours, theirs, count, on_line):  # on the clock, for the other does not say how long it took
        ours.results = [{**outcome, "seconds": 0.1}] * count
        return Pairs([2.0] * count, [6.0] * count, 1 / 3, 1 / 3, 1 / 3, on_the_clock=True)

    outcome = {"seed": 1, "loss": 0.5, "context_length": 64, "parameters": 9}
    monkeypatch.setattr(speedrun, "run_pairs", pairs)
    rows = recorded(against="true", pairs=2)["rows"]
    assert [(row["name"], row["seconds"], row["ratio"]) for row in rows] == [("mine.py", 2, 1), ("true", 6, 3)]


def entry(name, *seconds, target=1.0):
    facts = {"losses": [0.5], "machine": {"cpu": "x", "cores": 2, "load": 0.1}, "date": "2026-01-01T00:00:00+00:00"}
    return {"name": name, "hash": name, "target": target, "seconds": list(seconds), **facts}


def test_the_table_is_in_order_of_medians_and_of_one_target(tmp_path):
    path = leaderboard.path_of(tmp_path)
    for one in (entry("slow", 1.0, 9.0, 8.0), entry("fast", 9.0, 2.0, 3.0), entry("other", 1.0, target=2.0)):
        entries = leaderboard.enter(path, one)
    assert entries == leaderboard.read(path)
    said = io.StringIO()
    Console(file=said, width=160).print(leaderboard.table(entries, 1.0))
    assert said.getvalue().index("fast") < said.getvalue().index("slow") and "other" not in said.getvalue()


@pytest.mark.parametrize("content", ["{", '{"version": 2, "entries": []}', '{"version": 1, "entries": [{"name": 1}]}'])
def test_a_damaged_leaderboard_is_left_as_it_is(tmp_path, content):
    path = leaderboard.path_of(tmp_path)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ValueError, match="move it away"):
        leaderboard.enter(path, entry("a", 1.0))
    assert path.read_text() == content


def test_bad_input_has_plain_words(tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_MIRROR", "")
    monkeypatch.setattr("dojo.gpt.corpus.DOWNLOADS", tmp_path)
    monkeypatch.setattr("dojo.gpt.corpus.tinyshakespeare.__defaults__", (tmp_path,))
    (tmp_path / "mine.py").write_text(GOOD)
    mine = str(tmp_path / "mine.py")
    for arguments, said in (
        (["nowhere.py"], "There is no file"),
        ([mine], "make data"),
        ([mine, "--device", "tpu"], 'There is no device "tpu" here. There is: cpu'),
    ):
        done = CliRunner().invoke(app, ["speedrun", *arguments])
        assert done.exit_code == 2 and said in " ".join(done.output.split())
    assert all(f"{name}: " in CliRunner().invoke(app, ["speedrun", "--rules"]).output for name in rules.RULES)


def test_the_record_is_no_kata_and_fits_on_two_hundred_lines():
    record = ROOT / "solutions" / "speedrun" / "record.py"
    assert all("speedrun" not in kata.slug for kata in Catalog(ROOT).katas)
    assert len(record.read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("verb", ["speedrun", "ablate"])
def test_where_processes_have_no_sessions_it_says_where_it_runs(monkeypatch, verb):
    monkeypatch.delattr(os, "setsid")
    done = CliRunner().invoke(app, [verb])
    assert done.exit_code == 2 and "WSL" in done.output
