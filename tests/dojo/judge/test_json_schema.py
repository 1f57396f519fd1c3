"""`dojo test 5 --json` prints one object with exactly the documented fields; the exit status says whether it passed."""

import json
from dataclasses import fields

import pytest

from dojo.judge.verdict import Verdict

FIELDS = {
    *("kata", "verdict", "step", "message", "claim", "property", "example", "calls", "expected", "got", "where"),
    *(
        "observations",
        "diagnosis",
        "relation",
        "steps",
        "stand_ins",
        "notes",
        "output",
        "traceback",
        "seconds",
        "fingerprint",
    ),
}
KINDS = {
    "passed": lambda text: text,
    "failed": lambda text: text.replace("diagonal=1", "diagonal=0"),
    "not_started": lambda text: 'def causal_mask(tokens):\n    raise NotImplementedError("step 1")\n',
    "error": lambda text: text + "\n1 / 0\n",
    "refused": lambda text: text + "\nq = torch.ones(1, 1, 1)\nnn.functional.scaled_dot_product_attention(q, q, q)\n",
    "no verdict": lambda text: text + "\n__import__('os')._exit(0)\n",
}


@pytest.fixture(scope="module")
def verdicts(clone):
    """For each kind of answer the exit status and the object."""
    answers = {}
    for kind, change in KINDS.items():
        clone.save("5", change(clone.solution("5")))
        answers[kind] = clone.json("5")
    return answers


@pytest.mark.parametrize("kind", KINDS)
def test_the_object_has_exactly_the_documented_fields(verdicts, kind):
    status, verdict = verdicts[kind]
    assert set(verdict) == FIELDS == {field.name for field in fields(Verdict)}
    assert verdict["kata"] == "k05"
    assert verdict["verdict"] == kind.replace("no verdict", "error")
    assert status == (0 if kind == "passed" else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_of_its_type(verdicts, kind):
    verdict = verdicts[kind][1]
    for name in ("message", "claim", "property", "expected", "got", "relation", "output", "traceback"):
        assert isinstance(verdict[name], str), name
    for name in ("calls", "observations", "diagnosis", "steps", "stand_ins", "notes"):
        assert isinstance(verdict[name], list), name
    assert isinstance(verdict["seconds"], float)
    assert isinstance(verdict["step"], (int, type(None)))
    assert all(isinstance(value, str) for value in verdict["example"].values())


def test_a_pass_has_nothing_to_complain_about(verdicts):
    verdict = verdicts["passed"][1]
    assert verdict["step"] is verdict["where"] is None
    assert not any(verdict[name] for name in ("message", "claim", "example", "diagnosis", "notes", "traceback"))
    assert verdict["stand_ins"] == [{"kata": "k04", "names": ["softmax"]}]


def test_steps_tell_each_property_its_status_and_seconds(verdicts):
    steps = verdicts["passed"][1]["steps"]
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    for step in steps:
        assert set(step) == {"step", "title", "properties", "status", "seconds"}
        assert step["title"] and step["status"] == "passed" and step["seconds"] > 0
        for part in step["properties"]:
            assert set(part) == {"name", "claim", "status", "seconds"}
            assert part["name"].startswith("test_") and part["claim"] and part["status"] == "passed"


def test_a_failure_holds_the_evidence_and_its_diagnosis(verdicts):
    verdict = verdicts["failed"][1]
    assert (verdict["step"], verdict["property"]) == (1, "test_mask_is_true_exactly_for_later_tokens")
    assert verdict["example"] == {"tokens": "1"}
    assert verdict["calls"] == ["causal_mask(1)"]
    assert (verdict["expected"], verdict["got"]) == ("[[»False«]]", "[[»True«]]")
    (diagnosis,) = verdict["diagnosis"]
    assert set(diagnosis) == {"name", "explanation", "step"}
    assert (diagnosis["name"], diagnosis["step"], verdict["relation"]) == ("the diagonal is hidden", 1, "one")
    assert [step["status"] for step in verdict["steps"]] == ["failed", *["not_reached"] * 3]


@pytest.mark.parametrize("kind", ["failed", "error", "refused"])
def test_where_is_a_line_of_the_learners_file(verdicts, kind):
    where = verdicts[kind][1]["where"]
    assert set(where) == {"file", "line", "code"}
    assert where["file"] == "katas/k05_causal_attention/causal_attention.py"
    assert where["line"] > 0 and where["code"]


def test_without_a_verdict_the_steps_are_there_all_the_same(verdicts):
    assert [step["status"] for step in verdicts["no verdict"][1]["steps"]] == ["not_reached"] * 4


def test_the_command_prints_one_line_of_json_and_nothing_else(clone):
    clone.solve("5")
    done = clone.process("-m", "dojo", "test", "5", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1 and json.loads(done.stdout)["verdict"] == "passed"
    assert done.stderr == ""


def test_usage_errors_print_no_object(clone):
    for words, said in ((["99"], "There is no kata 99: they go from 1 to 5."), (["5", "--jsno"], "No such option")):
        done = clone.process("-m", "dojo", "test", *words, "--json")
        assert (done.returncode, done.stdout) == (2, "") and said in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_goes_to_json_and_back(verdicts, kind):
    assert Verdict.from_dict(verdicts[kind][1]).as_dict() == verdicts[kind][1]
