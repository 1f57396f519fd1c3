"""Grades in each format, held to the form that its reader publishes."""

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest

from dojo.curriculum.catalog import Catalog
from dojo.grading import formats
from dojo.grading.grades import Grade, judged, points_of, unjudged
from dojo.judge.verdict import ClaimResult, NamedMistake, StepResult, Verdict

from ..trees import ROOT

K05, K06 = Catalog(ROOT).find("5"), Catalog(ROOT).find("6")
POINTS = points_of(K05, {})


def verdict(kind, *statuses):
    """A verdict on k05 with these statuses of its steps."""
    steps = [
        StepResult(step, title, [ClaimResult("t", "A claim.", status)], status)
        for (step, title), status in zip(K05.steps.items(), statuses)
    ]
    return Verdict(
        "k05", kind, message="Wrong\x00 & <bold>.", claim="A claim." if kind == "failed" else "", steps=steps
    )


def class_of_strangers():
    """A class: one who passed, one who failed at step 3, one whose name is a formula, one who handed nothing in."""
    passed = judged(K05, verdict("passed", *["passed"] * 4), POINTS)
    wrong = verdict("failed", "passed", "passed", "failed", "not_reached")
    wrong.diagnosis, wrong.relation = [NamedMistake("dropout in eval mode", "It drops always.", 3)], "one"
    refused = judged(K05, verdict("refused", "passed", "not_reached", "not_reached", "not_reached"), POINTS)
    missing = unjudged(K05, "missing", "There is no file for it.", POINTS)
    return [
        Grade("anna", [passed]),
        Grade("bert", [judged(K05, wrong, POINTS)], ["Something is to be said."]),
        Grade("=HYPERLINK(1)", [refused]),
        Grade("../../<script>\x07", [missing]),
    ]


GRADES = class_of_strangers()


def test_points_are_whole_and_the_last_steps_have_what_does_not_divide():
    assert points_of(K05, {}) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert points_of(K05, {"k05": 10}) == {1: 2, 2: 2, 3: 3, 4: 3}


def test_steps_that_hold_have_their_points_and_who_is_refused_has_none():
    assert [grade.points for grade in GRADES] == [4, 2, 0, 0] and {grade.most for grade in GRADES} == {4}
    assert "dropout in eval mode" in GRADES[1].katas[0].feedback and "A claim." in GRADES[1].katas[0].feedback


def test_what_a_submission_prints_moves_no_terminal():
    loud = verdict("failed", "failed")
    loud.output = "\x1b]0;mine\x07\u202e\nsecond line"
    text = judged(K05, loud, POINTS).feedback
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text and "second line" in text


def test_json_holds_everything():
    first, second, *_ = json.loads(formats.as_json(GRADES)[""])
    assert first["points"] == 4 and second["katas"][0]["mistakes"] == ["dropout in eval mode"]


def test_no_cell_of_a_table_is_a_formula():
    rows = list(csv.DictReader(io.StringIO(formats.as_csv(GRADES)[""])))
    assert [row["points"] for row in rows] == ["4", "2", "0", "0"] and rows[1]["k05.3"] == "0"
    assert rows[2]["name"] == "'=HYPERLINK(1)" and "It drops always." in rows[1]["feedback"]


# What JUnit's readers allow (the schemas of Jenkins and of pytest's own tests agree on these).
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors", "disabled"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id"},
    "testcase": {"name", "assertions", "time", "classname", "status"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": set(),
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}


def test_junit_keeps_to_its_schema_and_its_counts():
    root = ElementTree.fromstring(formats.as_junit(GRADES)[""])
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    assert root.attrib | {"time": "0"} == {
        "name": "dojo grade",
        "tests": "16",
        "failures": "1",
        "errors": "1",
        "time": "0",
    }
    for suite in root:
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(name)) == len(suite.findall(f"testcase/{tag}"))
    assert "It drops always." in root.find("testsuite/testcase/failure").text


GRADESCOPE = {"score", "execution_time", "output", "output_format", "visibility", "stdout_visibility", "extra_data"}
GRADESCOPE_TEST = {"score", "max_score", "status", "name", "number", "output", "tags", "visibility", "extra_data"}
VISIBLE = {"hidden", "after_due_date", "after_published", "visible"}


def test_gradescope_has_a_file_each_with_the_keys_that_it_documents():
    texts = formats.as_gradescope(GRADES)
    assert len(texts) == 4 and all(re.fullmatch(r"\d{4}(-[A-Za-z0-9-]+)?\.json", name) for name in texts)
    for text, grade in zip(texts.values(), GRADES):
        results = json.loads(text)
        assert results.keys() <= GRADESCOPE | {"tests", "leaderboard"} and results["visibility"] in VISIBLE
        for test in results["tests"]:
            assert test.keys() <= GRADESCOPE_TEST and test["status"] in ("passed", "failed")
            assert isinstance(test["score"], int) and 0 <= test["score"] <= test["max_score"]
            assert re.fullmatch(r"\d+\.\d+", test["number"]) and test["visibility"] in VISIBLE
        assert sum(test["score"] for test in results["tests"]) == grade.points


# The contract of Classroom 50, as its schema result-v1 states it.
CLASSROOM50 = {
    "schema": "classroom50/result/v1",
    "classroom": ".+",
    "assignment": ".+",
    "assignment_type": "individual|group",
    "owner": ".+",
    "submission": "submit/.+",
    "commit": ".+",
    "release": ".+",
    "review": ".+",
    "datetime": r"\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ",
    "graded_at": r"\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ",
}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"CLASSROOM": "gpt", "ASSIGNMENT": "k05", "USERNAME": "anna", "SUBMISSION_TAG": "submit/1-a", "MODE": "group"},
    ],
    ids=["by hand", "in its runner"],
)
def test_classroom50_keeps_to_its_contract(environment):
    for text, grade in zip(formats.as_classroom50(GRADES, environment).values(), GRADES):
        result = json.loads(text)
        tests, score, most = result.pop("tests"), result.pop("score"), result.pop("max-score")
        assert result.keys() == CLASSROOM50.keys()
        assert all(re.fullmatch(CLASSROOM50[name], value, re.DOTALL) for name, value in result.items())
        assert type(score) is type(most) is int and 0 <= score == grade.points <= most == grade.most
        for test in tests:
            assert type(test["passed"]) is bool and test["test-name"] and 0 <= test["score"] <= test["max-score"]


def test_otter_and_nbgrader_have_their_tables():
    otter = list(csv.DictReader(io.StringIO(formats.as_otter(GRADES)[""])))
    assert [row["percent_correct"] for row in otter] == ["1.0", "0.5", "0.0", "0.0"] and otter[0]["file"] == "anna"
    nbgrader = list(csv.reader(io.StringIO(formats.as_nbgrader(GRADES)[""])))
    assert ",".join(nbgrader[0]) == (
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,score,"
        "max_score"
    )
    assert nbgrader[1] == ["k05", "", "", "anna", "", "", "", "4.0", "0.0", "4.0", "4.0"]


def test_without_submissions_every_format_is_still_of_its_form():
    for form in formats.FORMATS.values():
        form([])
