"""Grades as other programs read them: JSON, CSV, JUnit, Gradescope, Classroom 50, Otter, nbgrader. No torch here.

Names and output come from strangers: nothing of them is read as markup, as a formula of a spreadsheet, or as a path.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any
from xml.etree import ElementTree

from .grades import UNJUDGED, WORDS, Grade, KataGrade, StepGrade

Formatted = dict[str, str]  # texts by the name of the file that each belongs into; "" where it is one for all
FORMULA = ("=", "+", "-", "@", "\t", "\r")
UNPRINTED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML does not allow


def as_json(grades: list[Grade]) -> Formatted:
    """All grades, whole."""
    return {"": json.dumps([grade.as_dict() for grade in grades], indent=2, ensure_ascii=False) + "\n"}


def as_csv(grades: list[Grade]) -> Formatted:
    """A row for each submission: the sum, each step's points, what each kata is to be told."""
    katas = grades[0].katas if grades else []
    steps = [f"{kata.kata}.{step.step}" for kata in katas for step in kata.steps]
    head: list[object] = ["name", "points", "most", *steps, *(f"{kata.kata} verdict" for kata in katas), "feedback"]
    return {"": _table([head, *map(_row, grades)])}


def _row(grade: Grade) -> list[object]:
    points = [step.points for kata in grade.katas for step in kata.steps]
    verdicts = [WORDS[kata.standing] for kata in grade.katas]
    return [grade.name, grade.points, grade.most, *points, *verdicts, _advice(grade)]


def _advice(grade: Grade) -> str:
    said = (f"{kata.kata}: {kata.feedback}" if kata.standing in UNJUDGED else kata.feedback for kata in grade.katas)
    return "\n\n".join([*grade.notes, *(text for text, kata in zip(said, grade.katas) if kata.standing != "passed")])


def _table(rows: list[list[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([[_harmless(cell) for cell in row] for row in rows])
    return out.getvalue()


def _harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def as_junit(grades: list[Grade]) -> Formatted:
    """A test suite for each submission, a case for each step."""
    cases = [(grade, kata, step) for grade in grades for kata in grade.katas for step in kata.steps]
    counts = _counts([each[1:] for each in cases])
    counts.pop("skipped")  # which the root has no place for
    root = ElementTree.Element("testsuites", {"name": "dojo grade"} | counts)
    for grade in grades:
        own = [(kata, step) for kata in grade.katas for step in kata.steps]
        suite = ElementTree.SubElement(root, "testsuite", {"name": _xml(grade.name)} | _counts(own))
        for kata, step in own:
            name, where = f"step {step.step}: {step.title}", f"{kata.kata} {kata.title}"
            case = ElementTree.SubElement(suite, "testcase", name=_xml(name), classname=_xml(where), time="0")
            _why(case, kata, step)
        if grade.notes:
            ElementTree.SubElement(suite, "system-out").text = _xml("\n".join(grade.notes))
    ElementTree.indent(root)
    return {"": ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"}


def _why(case: ElementTree.Element, kata: KataGrade, step: StepGrade) -> None:
    kind = _kind(kata, step)
    if kind == "skipped":
        ElementTree.SubElement(case, "skipped").text = "an earlier step does not hold, or it is not started"
    elif kind:
        said = ElementTree.SubElement(case, kind, message=_xml(WORDS[kata.standing]), type=kata.standing)
        said.text = _xml(kata.feedback)


def _kind(kata: KataGrade, step: StepGrade) -> str:
    """How JUnit calls what came of a step; nothing where it holds. Of a kata that fails the first open step says it."""
    if step.points or (step.status == "passed" and kata.standing != "refused"):
        return ""
    first = next(each for each in kata.steps if each.status != "passed" or kata.standing == "refused")
    if step is not first or kata.standing in ("not_started", "missing"):
        return "skipped"
    return "failure" if kata.standing == "failed" else "error"


def _counts(cases: list[tuple[KataGrade, StepGrade]]) -> dict[str, str]:
    kinds = [_kind(*case) for case in cases]
    counts = {"tests": len(kinds), "failures": kinds.count("failure"), "errors": kinds.count("error")}
    return {name: str(number) for name, number in counts.items()} | {
        "skipped": str(kinds.count("skipped")),
        "time": "0",
    }


def _xml(text: str) -> str:
    return UNPRINTED.sub("�", text)


def as_gradescope(grades: list[Grade]) -> Formatted:
    """What an autograder of Gradescope leaves as `results.json`, for each submission."""
    return {f"{_file(grade, number)}.json": _json(_gradescope(grade)) for number, grade in enumerate(grades)}


def _gradescope(grade: Grade) -> dict[str, Any]:
    tests = [
        {
            "name": f"{kata.kata} · {kata.title}, step {step.step}: {step.title}",
            "number": f"{int(kata.kata[1:])}.{step.step}",
            "score": step.points,
            "max_score": step.most,
            "status": "passed" if step.points == step.most and step.status == "passed" else "failed",
            "output": kata.feedback if _kind(kata, step) not in ("", "skipped") else "",
            "visibility": "visible",
        }
        for kata in grade.katas
        for step in kata.steps
    ]
    summary = [f"{kata.kata} · {kata.title}: {WORDS[kata.standing]}" for kata in grade.katas]
    return {
        "output": "\n".join([*grade.notes, *summary]),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
        **({} if tests else {"score": 0}),
    }


def as_classroom50(grades: list[Grade], environment: Mapping[str, str] = os.environ) -> Formatted:
    """`result.json` of Classroom 50, for each submission; what its runner knows comes from the environment."""
    return {f"{_file(grade, at)}.json": _json(_classroom50(grade, environment)) for at, grade in enumerate(grades)}


def _classroom50(grade: Grade, environment: Mapping[str, str]) -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    commit = environment.get("COMMIT_URL") or "unknown"
    tests = [
        {
            "test-name": f"{kata.kata} step {step.step}: {step.title}",
            "passed": step.status == "passed" and kata.standing != "refused",
            "score": step.points,
            "max-score": step.most,
            "output": kata.feedback if _kind(kata, step) not in ("", "skipped") else "",
        }
        for kata in grade.katas
        for step in kata.steps
    ]
    return {
        "schema": "classroom50/result/v1",
        "classroom": environment.get("CLASSROOM") or "unknown",
        "assignment": environment.get("ASSIGNMENT") or "gpt-katas",
        "assignment_type": environment.get("MODE") if environment.get("MODE") == "group" else "individual",
        "owner": environment.get("USERNAME") or grade.name,
        "submission": environment.get("SUBMISSION_TAG") or f"submit/{now:%Y-%m-%dT%H-%M-%SZ}-0000000",
        "commit": commit,
        "release": environment.get("RELEASE_URL") or commit,
        "review": environment.get("REVIEW_URL") or commit,
        "datetime": environment.get("SUBMITTED_AT") or f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "graded_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "score": grade.points,
        "max-score": grade.most,
        "tests": tests,
    }


def as_otter(grades: list[Grade]) -> Formatted:
    """A table like `final_grades.csv` of Otter: a row for each file, a column for each question."""
    questions = [kata.kata for kata in grades[0].katas] if grades else []
    rows: list[list[object]] = [["file", *questions, "total", "possible", "percent_correct"]]
    for grade in grades:
        share = grade.points / grade.most if grade.most else 0.0
        rows.append([grade.name, *(k.points for k in grade.katas), grade.points, grade.most, round(share, 4)])
    return {"": _table(rows)}


def as_nbgrader(grades: list[Grade]) -> Formatted:
    """A table like that of `nbgrader export`: a row for each submission and kata."""
    head = "assignment duedate timestamp student_id last_name first_name email raw_score late_submission_penalty score"
    rows: list[list[object]] = [[*head.split(), "max_score"]]
    for grade in grades:
        for kata in grade.katas:
            points = float(kata.points)
            rows.append([kata.kata, "", "", grade.name, "", "", "", points, 0.0, points, float(kata.most)])
    return {"": _table(rows)}


def _file(grade: Grade, number: int) -> str:
    """A name for a file of a submission's own: a stranger's name never is one by itself."""
    return f"{number + 1:04}-{re.sub(r'[^A-Za-z0-9]+', '-', grade.name).strip('-')[:40]}".rstrip("-")


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[list[Grade]], Formatted]] = {
    "json": as_json,
    "csv": as_csv,
    "junit": as_junit,
    "gradescope": as_gradescope,
    "classroom50": as_classroom50,
    "otter": as_otter,
    "nbgrader": as_nbgrader,
}
