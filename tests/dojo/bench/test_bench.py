"""The benches: races are fair, who is wrong is not timed, what fails is a line, and pictures say what they show."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import statistics
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from dojo.bench import jobs, katas, learners_code, machine, memory, results, roofline, sweep, table, worker
from dojo.bench.comparison import SMALL, Comparison, Configuration, Implementation, Sizes
from dojo.bench.pairs import PairError, Program, called, run_pairs
from dojo.bench.rounds import Times, noisy, quartiles, ratio, rows
from dojo.bench.timing import Clock, Racer, Refused, Unavailable, race
from dojo.bench.workloads import passes
from dojo.curriculum.catalog import Catalog
from dojo.figures import bench as pictures
from dojo.learner.session import Session
from dojo.sandbox.loader import Workspace
from dojo.system.files import load_module

from ...benchmarks.trainer import TimedRun, train
from ..gpt.test_training import TINY
from ..learners import swapped
from ..trees import ROOT

CATALOG = Catalog(ROOT)
K06 = CATALOG.find("multi_head_attention")
WORKSPACE = Workspace(CATALOG)
MODULE = WORKSPACE.reference(K06)
SOLUTION = K06.solution.read_text(encoding="utf-8")


# Races.


class FakeClock(Clock):
    """A clock on which every call takes what its racer's list says next."""

    def __init__(self):
        super().__init__("cpu")
        self.turns = []

    def seconds(self, call, times=1):
        name, seconds = call()
        self.turns.append(name)
        return seconds


def fake(name, seconds):
    source = itertools.cycle(seconds)
    return Racer(name, lambda: (name, next(source)))


def test_rounds_are_interleaved_and_their_order_moves_on():
    clock = FakeClock()
    racers = [fake(name, [1.0]) for name in "abc"]
    race(racers, clock, rounds=(4, 4), seconds=0)
    warmed, turns = clock.turns[:-12], clock.turns[-12:]
    assert sorted(set(warmed)) == ["a", "b", "c"]
    assert "".join(turns) == "abcbcacababc"


def test_at_least_and_at_most_so_many_rounds_are_run():
    few, many = (race([fake("a", [1.0])], FakeClock(), rounds=(3, 7), seconds=seconds) for seconds in (0, 60))
    assert (len(few[0].seconds), len(many[0].seconds)) == (3, 7)


def test_a_ratio_is_that_within_rounds():
    base, other = Times("base", [1.0, 2.0, 4.0]), Times("other", [2.0, 4.0, 4.0])
    assert ratio(other, base) == {"ratio": 2.0, "ratio_low": 1.5, "ratio_high": 2.0}
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 3.0, 4.0)


def test_fast_calls_are_repeated_within_a_turn_unless_each_has_to_be_made_ready():
    ready = []
    many = race([Racer("fast", lambda: None)], rounds=(2, 2), seconds=0)
    one = race([Racer("fast", lambda: None, before=lambda: ready.append(1))], rounds=(2, 2), seconds=0)
    assert many[0].calls > 100 and one[0].calls == 1 and len(ready) == 3


def fails(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    ("racer", "kind", "said"),
    [
        (Racer("x", fails(ValueError("no\nmore"))), "raised", "raises ValueError: no"),
        (Racer("x", fails(SystemExit(3))), "raised", "raises SystemExit: 3"),
        (Racer("x", fails(torch.OutOfMemoryError("CUDA out of memory."))), "memory", "out of memory"),
        (Racer("x", lambda: torch.empty(1 << 60, dtype=torch.uint8)), "memory", "out of memory"),
        (Racer("x", lambda: None, prove=fails(Refused("it is wrong"))), "refused", "it is wrong"),
        (Racer("x", lambda: None, prove=fails(Unavailable("not here"))), "unavailable", "not here"),
    ],
)
def test_what_fails_is_a_row_and_the_others_go_on(racer, kind, said):
    found = rows(race([racer, Racer("good", lambda: None)], rounds=(2, 2), seconds=0), "good", {"race": "r"})
    assert found[0] == {"name": "x", "race": "r", "failure": said, "kind": kind}
    assert found[1]["ratio"] == 1.0 and found[1]["rounds"] == 2


def test_what_is_too_slow_is_not_timed():
    slow, good = race([fake("slow", [9.0]), fake("good", [1.0])], FakeClock(), limit=5.0, rounds=(2, 2))
    assert (slow.kind, slow.failure) == ("slow", "one call took 9 s, and 5 s is the limit here")
    assert good.seconds == [1.0, 1.0] and not slow.seconds


def test_what_fails_in_a_later_round_has_no_times():
    calls = itertools.count()
    racer = Racer("x", lambda: fails(MemoryError())() if next(calls) > 6 else None, before=lambda: None)
    found, _ = race([racer, Racer("good", lambda: None)], rounds=(9, 9), seconds=0)
    assert (found.kind, found.seconds) == ("memory", [])


@pytest.mark.parametrize(("times", "widest"), [([1.0, 1.04, 1.08, 1.02], 0), ([1.0, 1.5, 2.0, 1.0], 0.5)])
def test_a_race_whose_ratios_wander_is_called_noisy(times, widest):
    found = rows([Times("base", [1.0] * 4), Times("x", times)], "base", {})
    assert (noisy(found) > 0) == bool(widest) and noisy(found) >= widest / 2


# Who may race.


COMPARISON = Comparison(MODULE.MultiHeadAttention, "cpu")
ATTENTIONS = load_module(K06.races)
KNOWN = ATTENTIONS.implementations(MODULE, MODULE)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("implementation", [each for each in KNOWN if not each.compiled], ids=lambda each: each.name)
def test_every_implementation_proves_itself(implementation, dtype):
    COMPARISON.prove(implementation, Configuration(dtype, "both", SMALL))


RESULT = "return self.out_proj(merge_heads(context))"
WRONG = {
    "sees the future": (".masked_fill_(self.mask[:T, :T], -torch.inf)", "", "a change of later tokens changes earlier"),
    "other scale": ("query / query.shape[-1] ** 0.5", "query / 3", "the output in eval mode has wrong values"),
    "drops in training": (
        "self.dropout(weights)",
        "(weights * (1 + self.training))",
        "the output in training has wrong",
    ),
    "cut off": (RESULT, f"{RESULT}.detach()", "no gradient passes through it"),
    "more parameters": ("self.num_heads =", "self.more, self.num_heads = nn.Linear(2, 3),", "it has 561 parameters"),
    "other width": (RESULT, "return merge_heads(context)[..., 1:]", "the output has shape"),
    "constant": (RESULT, f"{RESULT} * 0", "its output does not depend on its input"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_implementation_is_refused_with_the_reason(name):
    old, new, reason = WRONG[name]
    wrong = WORKSPACE.variant(K06, swapped(old, new, SOLUTION), name).module.MultiHeadAttention
    with pytest.raises(Refused, match=f"^{reason}"):
        COMPARISON.prove(Implementation(name, ATTENTIONS.plain(wrong)), Configuration("float32", "both", SMALL))


def test_without_a_compiler_what_is_compiled_is_not_there(monkeypatch):
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", fails(InvalidCxxCompiler()))
    make = ATTENTIONS.compiled(ATTENTIONS.plain(MODULE.MultiHeadAttention))
    compiled = Implementation("torch.compile", make, compiled=True)
    with pytest.raises(Unavailable, match="no compiler is at hand"):
        COMPARISON.prove(compiled, Configuration("float32", "both", SMALL))


def test_where_torch_keeps_its_compiler_elsewhere_what_is_compiled_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._inductor.cpp_builder", None)
    with pytest.raises(Unavailable, match="keeps its compiler elsewhere.*cpp_builder"):
        ATTENTIONS.require_compiler("cpu")


@pytest.mark.parametrize(
    ("there", "problem"),
    [(("recompile_limit", "fail_on_recompile_limit_hit"), ""), (("cache_size_limit", "fail_on_cache_limit_hit"), "")]
    + [(("recompile_limit",), "has no setting fail_on_recompile_limit_hit")],
    ids=["since 2.7", "before", "neither"],
)
def test_the_compiler_is_set_up_by_the_names_that_this_torch_has(monkeypatch, there, problem):
    config = SimpleNamespace(**dict.fromkeys(there, 0))
    monkeypatch.setitem(sys.modules, "torch._dynamo.config", config)
    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", lambda: "g++")
    with pytest.raises(Unavailable, match=problem) if problem else nullcontext():
        ATTENTIONS.require_compiler("cpu")
    assert all(vars(config).values())


# What is counted.


def test_the_arithmetic_is_that_of_the_visible_half():
    sizes = Sizes(batch=2, heads=3, d_in=5, width=12, tokens=4)
    seen = sum(1 for query in range(4) for key in range(4) if key <= query)
    products = 4 * (3 * 5 * 12 + 12 * 12) + seen * 12 * 2  # of one sequence: a multiplication and an addition each
    assert Configuration("float32", "forward", sizes).flop == 2 * 2 * products
    assert Configuration("float32", "both", sizes).flop == 3 * 2 * 2 * products


def test_memory_is_what_the_allocator_hands_out():
    x = torch.zeros(1000, 250)
    found = memory.measure(lambda: (x + 1) + 1, "cpu", [x])
    assert found.peak == pytest.approx(2e6, rel=1e-3) and found.allocated == pytest.approx(2e6, rel=1e-3)
    assert found.moved == pytest.approx(5e6, rel=1e-3)
    assert memory.measure(lambda: x.add_(1), "cpu", [x]).peak < 1000


def test_rows_tell_the_memory_of_functions_of_one_tensor():
    x = torch.zeros(1000, 250)
    functions = {"one step": lambda x: x + 2, "two steps": lambda x: (x + 1) + 1}
    for each in passes("adding", functions, x, work=1, unit="sums"):
        few, many = each.run("cpu", rounds=(2, 2), seconds=0)
        assert many["peak_bytes"] >= few["peak_bytes"] >= 1e6 and many["moved_bytes"] > few["moved_bytes"]


def test_growth_shares_and_intensities_are_what_they_say():
    measured = made()
    row = measured["rows"][0]
    assert roofline.exponent({"T": T, "seconds": 3e-6 * T**1.5} for T in (128, 256, 512)) == pytest.approx(1.5)
    assert roofline.exponent([row]) is None
    assert roofline.rate(row) == 1024 / 0.1 and roofline.share(measured, row) == pytest.approx(0.5)
    assert roofline.intensity(row) == 1  # a byte for every operation


# The job, in this process and watched in another.


def job(**changes):
    sizes = {"batch": 2, "heads": 3, "width": 12, "lengths": [8, 16], "dtypes": ["float32"]}
    given = {"root": str(ROOT), "device": "cpu", "seconds": 60, "only": ["reference", "einsum", "nn.MHA"]}
    return jobs.Job(**{**sizes, **given, **changes})


def events_of(job, monkeypatch):
    monkeypatch.setattr(machine, "SECONDS", 0.01)
    monkeypatch.setattr(machine, "SIDES", {"cpu": 128})
    monkeypatch.setattr(machine, "COPIED", {"cpu": 1 << 16})
    monkeypatch.setattr(sweep, "ROUNDS", (2, 2))
    found = []
    worker.run(job, found.append)
    return found


def test_attention_is_raced_at_every_size_that_fits(monkeypatch):
    found = events_of(job(), monkeypatch)
    raced = [row for event in found for row in event.get("rows", [])]
    want = itertools.product([8, 16], ["forward", "both"], ["reference", "einsum", "nn.MHA"])
    assert [(row["T"], row["pass"], row["name"]) for row in raced] == list(want)
    assert all(row["seconds"] > 0 and row["peak_bytes"] > 0 and row["work"] == 2 * row["T"] for row in raced)
    facts = next(event["facts"] for event in found if "facts" in event)
    assert facts["limits"]["float32"] > 0 and facts["limits"]["copy"] > 0 and facts["machine"]["threads"] > 0
    assert str(ROOT) not in json.dumps(found)


def test_what_does_not_fit_is_left_out_and_said(monkeypatch):
    cost = {8: 0.1, 16: 15000.0, 32: 0.1}
    monkeypatch.setattr(sweep.Sweep, "_cost", lambda self, configuration: cost[configuration.sizes.tokens])
    lines = [event["left_out"] for event in events_of(job(lengths=[8, 16, 32]), monkeypatch) if "left_out" in event]
    assert "float32, forward, T = 16 to 32; T = 16 alone would take about 4 hours" in lines


def test_on_a_slow_machine_sizes_shrink_until_something_is_timed(monkeypatch):
    monkeypatch.setattr(machine, "product_rate", lambda device, dtype: 1e6)
    slow = job(batch=8, heads=4, width=16, lengths=[64, 128], seconds=0.5)
    found = events_of(slow, monkeypatch)
    sizes = next(event["sizes"] for event in found if "sizes" in event)
    assert sizes == {"batch": 1, "heads": 1, "width": 4, "lengths": [16, 32]}
    assert next(event["facts"]["sizes"] for event in found if "facts" in event) == {"batch": 1, "heads": 1, "width": 4}
    assert [row["T"] for event in found for row in event.get("rows", []) if "seconds" in row][:3] == [16] * 3
    said = "batch 8, T from 64 and width 16: too much for this machine in the time, so batch 1, T from 16 and width 4"
    assert said in [event.get("left_out") for event in found]


def test_the_first_race_is_run_whatever_it_takes():
    begun = sweep.Sweep(job(seconds=0), pytest.fail)
    begun.facts, begun.implementations = {"limits": {"float32": 1.0}}, KNOWN
    assert begun._fits(Configuration("float32", "forward", SMALL))
    row = {"dtype": "float32", "pass": "forward", "T": SMALL.tokens, "name": "reference"}
    begun._note([row | {"failure": "one call took 9 s", "kind": "slow"}])
    assert begun._fits(Configuration("float32", "both", SMALL))
    begun._note([row | {"seconds": 1.0}])
    assert not begun._fits(Configuration("float32", "both", SMALL))


@pytest.mark.parametrize(("half", "raced"), [(4e9, {"float32"}), (900e9, {"float32", "bfloat16"})])
def test_a_dtype_that_is_only_emulated_is_left_out_in_a_line(monkeypatch, half, raced):
    """On a GPU float32 is many times slower than bfloat16, and no emulation."""
    rates = {torch.float32: 64e9, torch.bfloat16: half}
    monkeypatch.setattr(machine, "product_rate", lambda device, dtype: rates[dtype])
    found = events_of(job(lengths=[8], dtypes=["float32", "bfloat16"]), monkeypatch)
    assert {row["dtype"] for event in found for row in event.get("rows", [])} == raced
    said = ["bfloat16: this device only emulates it, at 4 GFLOP/s beside 64 in float32"] * (len(raced) == 1)
    assert [event["left_out"] for event in found if "left_out" in event] == said


def test_a_race_takes_at_most_five_times_the_last():
    row = {"dtype": "float32", "pass": "forward", "T": 8}
    rows = [row | {"name": "reference", "seconds": 2.0}, row | {"name": "einsum", "failure": "no", "kind": "raised"}]
    begun = sweep.Sweep(job(rows=rows), pytest.fail)
    longer, backward, unknown = (
        Configuration(dtype, passes, Sizes(2, 3, 12, 12, tokens))
        for dtype, passes, tokens in (("float32", "forward", 16), ("float32", "both", 8), ("bfloat16", "forward", 8))
    )
    begun.facts, begun.implementations = {"limits": {"bfloat16": unknown.flop}}, KNOWN[:2]
    calls = sweep.ROUNDS[0] + sweep.UNTIMED
    assert begun._cost(longer) == begun._cost(backward) == 5 * 2.0 * calls
    assert begun._cost(unknown) == 5 * 2 * 1.0 * calls  # by its matrix products


def test_an_unknown_device_is_a_line(monkeypatch):
    assert events_of(job(device="tpu"), monkeypatch) == [
        {"trouble": f'There is no device "tpu" here. There is: {", ".join(machine.devices())}.', "exit": 2}
    ]


STANDS_IN = """
import json, os, sys, time
job = json.loads(sys.stdin.readline())
say = lambda **event: print(json.dumps(event), flush=True)
say(facts={"machine": {}})
if not job["facts"]: say(sizes={"batch": 1})
for name in ("good", "hangs", "dies", "last"):
    if name in job["without"] or any(row["name"] == name for row in job["rows"]): continue
    say(turn=name, limit=1)
    if name == "hangs": time.sleep(99)
    if name == "dies": os._exit(3)
    say(rows=[{"name": name, "seconds": job["batch"]}])
say(end=True)
"""


def test_what_hangs_or_dies_is_ended_and_the_rest_goes_on(monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", ("-c", STANDS_IN))
    found = []
    jobs.follow(job(seconds=30, batch=8), found.append)
    refused = {event["refused"]["name"]: event["refused"]["reason"] for event in found if "refused" in event}
    assert refused == {"hangs": "did not come to an end within 1 s", "dies": "ended the process with status 3"}
    raced = [(row["name"], row["seconds"]) for event in found for row in event.get("rows", [])]
    assert raced == [("good", 8), ("last", 1)]  # of the batch that the first worker found to fit


@pytest.mark.parametrize(
    ("script", "said", "exit"),
    [
        ('print(\'{"trouble": "no such device", "exit": 2}\')', "no such device", 2),
        ("raise SystemExit('torch is ill')", "ended the process with status 1 (torch is ill)", 1),
    ],
)
def test_a_worker_that_cannot_work_is_a_line(monkeypatch, script, said, exit):
    monkeypatch.setattr(jobs, "WORKER", ("-c", script))
    with pytest.raises(jobs.BenchError) as error:
        jobs.follow(job(seconds=5), lambda event: None)
    assert said in str(error.value) and error.value.exit == exit


# The learner's part.


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("key.shape[-1] ** 0.5", "x.shape[-1] ** 0.5", "It looks like this: scaled by the input width"),
        ("tokens = x.shape[1]", "tokens = x.shape[1", "Python cannot read your file"),
    ],
)
def test_a_wrong_part_is_refused_with_its_name(clone, judge, monkeypatch, old, new, reason):
    part = part_in(clone.renew(), judge, monkeypatch, lambda text: swapped(old, new, text))
    refused = part.event["refused"]
    assert not part.takes_part and refused["name"] == "yours"
    assert refused["reason"].startswith("k05 does not pass. ") and reason in refused["reason"]


def test_a_right_part_takes_part_and_a_stub_is_left_out(clone, judge, monkeypatch):
    part = part_in(clone.renew(), judge, monkeypatch, lambda text: text)
    assert part.takes_part and not part.event and clone.kata("5").slug in part.solved
    part = part_in(clone.renew(), judge, monkeypatch, None)
    assert not part.takes_part and list(part.event) == ["left_out"] and "k05 is not started" in part.event["left_out"]


def part_in(clone, judge, monkeypatch, change):
    monkeypatch.setenv("DOJO_ROOT", str(clone.root))
    monkeypatch.setattr(learners_code, "Judge", lambda root: nullcontext(judge))
    if change:
        clone.save("5", change(clone.solution("5")))
    return learners_code.judge_learners_code(Session(), clone.kata("5"))


def test_a_kata_without_races_says_so(clone):
    clone.renew().kata("4").races.unlink()
    done = clone.verb("bench", "4")
    assert done.exit_code == 2 and "k04 has nothing to race" in done.stderr


RACES = """
import torch
from dojo.bench.timing import Race, Racer

def races(kata, reference):
    x = torch.zeros(2, 3)
    racers = [Racer("reference", lambda: reference.softmax(x)), Racer("torch", lambda: x.softmax(-1))]
    yield Race("softmax", racers, work=6, unit="scores")
    if kata is not None:
        kata.softmax("no tensor")  # as when making a race ready calls what a learner wrote
    yield Race("attention", racers[:1])
"""


@pytest.mark.parametrize("yours", [False, True])
def test_a_kata_with_races_is_raced_to_the_end(monkeypatch, clone, yours):
    kata = clone.renew().kata("4")
    clone.solve("4")
    kata.races.write_text(RACES)
    monkeypatch.setattr(katas, "SECONDS", 0.05)
    changes = {"slug": kata.slug, "root": str(clone.root), "solved": [kata.slug], "yours": yours}
    found = events_of(job(**changes), monkeypatch)
    rows = [row for event in found for row in event.get("rows", [])]
    names = [(row["race"], row["name"], row["unit"]) for row in rows]
    softmax = [("softmax", "reference", "scores"), ("softmax", "torch", "scores")]
    assert names == [*softmax, ("attention", "reference", "")]
    assert [event["refused"]["name"] for event in found if "refused" in event] == ["yours"] * yours


# Files, tables and pictures.


def made(device="cpu", date="2026-01-02T03:04:05+00:00", **changes):
    """Results with made-up numbers: a reference and fused attention at two lengths."""
    machine = {"cpu": "C", "cores": 2, "threads": 2, "system": "S", "device": device, "device_name": f"the {device}"}
    facts = {"machine": machine | {"load": 0.5, "load_after": 0.7}, "versions": {"torch": "9"}, "commit": "abc"}
    limits = {"float32": 20e9, "copy": 10e9}
    found = results.new("attention", **facts) | {"date": date, "limits": limits, "sizes": {"batch": 8}}
    for T, name in itertools.product((128, 256), ("reference", "sdpa, is_causal")):
        seconds = 0.1 * T / 128 / (1 + (name != "reference"))
        what = {"race": f"T = {T}", "dtype": "float32", "pass": "forward", "T": T, "work": 8 * T, "unit": "tokens"}
        cost = {"flop": int(1e9 * T / 128), "peak_bytes": 4000 * T}
        cost["moved_bytes"] = cost["flop"] // (1 + (name != "reference"))
        times = {"seconds": seconds, "low": seconds, "high": seconds, "rounds": 5}
        compared = {"ratio": seconds * 1280 / T, "ratio_low": 0.5, "ratio_high": 0.52}
        found["rows"].append({"name": name, **what, **cost, **times, **compared})
    return found | changes


def test_results_come_back_as_they_were_written(tmp_path):
    results.write(tmp_path / "new" / "a.json", made())
    assert results.read_all(tmp_path / "new", pytest.fail) == [made()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps(made(format=results.FORMAT + 1)), "a.json is of format 2, and this program knows formats up to 1"),
        ("{", "a.json is damaged, or no results file"),
        ("[1]", "a.json is damaged, or no results file"),
        (json.dumps(made(rows=[{"name": "x"}])), "a.json is damaged, or no results file"),
    ],
)
def test_results_that_cannot_be_read_are_a_line_and_the_rest_goes_on(tmp_path, text, said):
    (tmp_path / "a.json").write_text(text)
    results.write(tmp_path / "b.json", made())
    lines = []
    assert len(results.read_all(tmp_path, lines.append)) == 1
    assert len(lines) == 1 and lines[0].startswith(said) and "it is left out" in lines[0]


def test_recorded_results_can_be_read_and_name_no_path():
    folder = ROOT / "data" / "benchmarks"
    found = results.read_all(folder, pytest.fail)
    assert len(found) == len(list(folder.glob("*.json")))
    for path in folder.glob("*.json"):
        assert "/home" not in path.read_text() and str(ROOT) not in path.read_text()


def printed(measured):
    from rich.console import Console

    console = Console(width=150, record=True, file=io.StringIO(), highlight=False, markup=False)
    table.show(measured, console)
    return console.export_text()


def test_the_table_shows_figures_limits_growth_and_what_is_missing():
    refused = [{"name": "yours", "reason": "k06 does not pass.", "kind": "failed"}]
    lost = {"name": "einsum", "race": "T = 256", "dtype": "float32", "pass": "forward", "T": 256}
    lost |= {"failure": "out of memory", "kind": "memory"}
    said = printed(made(refused=refused, left_out=["T = 512"], rows=[*made()["rows"], lost], noisy=0))
    for part in (
        "load 0.5 before and 0.7 after",
        "20 GFLOP/s in float32",
        "copying 10 GB/s",
        "Sizes: batch 8\n",
        "T^1.00",
        "10,240",
        "50%",
        "no memory",
        "not timed: einsum, T = 256: out of memory",
        "refused: yours: k06 does not pass.",
        "left out: T = 512",
        "It never writes the T × T scores",
    ):
        assert part in said
    assert "too noisy" not in said
    wandering = made()
    wandering["rows"][3] |= {"ratio_low": 0.4, "ratio_high": 0.6}
    assert "too noisy" in printed(wandering) and "~0.50" in printed(wandering)


def test_pictures_show_where_and_when_and_say_that_no_gpu_was_measured(tmp_path):
    paths = pictures.draw_all(tmp_path, [made()], [])
    assert [path.name for path in paths] == [
        f"{name}.{kind}" for name in ("throughput", "memory", "roofline") for kind in ("png", "svg")
    ]
    for path in paths[1::2]:
        drawn = path.read_text(encoding="utf-8")
        assert "No GPU has been measured yet." in drawn and "this machine: the cpu" in drawn and "2026-01-02" in drawn


def test_a_recorded_gpu_stands_beside_this_machine(tmp_path):
    here, gpu = made(), made("cuda", "2026-02-03T00:00:00+00:00")
    drawn = pictures.draw_all(tmp_path, [here], [here, gpu])[1].read_text(encoding="utf-8")
    assert "No GPU" not in drawn and "recorded: the cuda" in drawn and "recorded: the cpu" not in drawn
    assert "this machine: the cpu" in drawn and "2026-02-03" in drawn


# Pairs, and the training.


def says(folder, text, status=0):
    return [
        sys.executable,
        "-c",
        f"import sys; open({str(folder / 'log')!r}, 'a').write({text!r} + ' '); print({text!r}); sys.exit({status})",
    ]


def test_pairs_turn_round_and_the_ratio_is_that_of_the_medians(tmp_path):
    ours = Program("ours", says(tmp_path, '{"seconds": 2}'), tmp_path)
    theirs = Program("theirs", says(tmp_path, '{"seconds": 4}'), tmp_path)
    found = run_pairs(ours, theirs, 2)
    assert (found.ratio, found.on_the_clock, found.ours, found.theirs) == (0.5, False, [2, 2], [4, 4])
    order = [json.loads(one + "}")["seconds"] for one in (tmp_path / "log").read_text().split("} ")[:-1]]
    assert order == [2, 4, 4, 2]


def test_where_one_does_not_say_how_long_it_took_both_are_timed_on_the_clock(tmp_path):
    ours = Program("ours", says(tmp_path, '{"seconds": 999}'), tmp_path)
    theirs = Program("theirs", says(tmp_path, "done"), tmp_path)
    found = run_pairs(ours, theirs, 1)
    assert found.on_the_clock and found.ours[0] < 100
    assert found.ratio == pytest.approx(statistics.median(found.ours) / statistics.median(found.theirs))


def test_an_opponent_is_called_by_its_command_without_folders():
    assert called("/home/me/.venv/bin/python ../peer/train.py --seed 1") == "python train.py --seed 1"
    assert called("cd /tmp/ && ./race " + "x" * 99) == "cd /tmp/ && race " + "x" * 23


def test_a_program_that_fails_or_does_not_end_is_a_line(tmp_path):
    with pytest.raises(PairError, match="ours ended with status 3: oh"):
        Program("ours", says(tmp_path, "oh", 3), tmp_path).run()
    with pytest.raises(PairError, match="ours cannot be started"):
        Program("ours", [str(tmp_path / "nothing")], tmp_path).run()
    with pytest.raises(PairError, match="ours did not come to an end within 0 s"):
        Program("ours", "sleep 9", tmp_path).run(limit=0.1)


def test_training_ends_at_the_target_and_says_how_fast_it_was(tmp_path):
    from dojo.gpt.model import parts

    preset = dataclasses.replace(TINY, steps=20, evaluate_every=5)
    run = TimedRun(preset, tmp_path / "run", *parts(CATALOG, frozenset()), say=lambda text: None)
    run.prepare()
    run.begin()
    run.target = 99.0
    found = train(run)
    assert found.reached and found.step == 5 and found.loss == run.best
    assert found.seconds == pytest.approx(sum(run.durations)) and found.tokens_per_second > 0
    tokens, C, L, T = 4 * 16, 16, 2, 16
    vocab_size = run.data.tokenizer.vocab_size
    linear = 12 * C * C * L + C * vocab_size  # weights that a token meets: attention, feed-forward, head
    products = 3 * 2 * tokens * (linear + 2 * L * T * C)  # forward and twice that backward, scores and mixing too
    assert found.flop == pytest.approx(products, rel=0.05)


def test_bench_train_knows_its_presets(clone):
    done = clone.renew().verb("bench-train", "--preset", "nothing")
    assert done.exit_code == 2 and "PRESET is one of verona, shakespeare" in done.stderr
