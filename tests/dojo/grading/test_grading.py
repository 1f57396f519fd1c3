"""Grading a class: every submission has one result, the right one, whatever the others do."""

import json
import shutil
from dataclasses import dataclass, field

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.grading import lanes
from dojo.grading.grading import grade_all
from dojo.grading.lanes import Job, judge_all
from dojo.grading.sandbox import NoSandbox, Sandbox, choose, seen
from dojo.grading.submissions import read_all
from dojo.judge.verdict import Verdict

from ...attacks.bank import ATTACKS
from ..trees import ROOT

CATALOG = Catalog(ROOT)
K05 = CATALOG.find("5")
WRONG = ROOT / "tests" / "verdicts" / K05.slug / "bias_swallowed_by_dropout" / K05.file.name


@pytest.fixture(scope="module")
def sandbox():
    """The sandbox of this machine; where there is none, what is ours is judged without."""
    try:
        return choose(ROOT)
    except NoSandbox:
        return Sandbox("none")


# Quick ones, of every kind; all of them `python -m tests.attacks` runs.
SAMPLE = ("channel/writes_to_all_files", "patching/tensor_isclose", "reading/by_torch", "modules/getattr_os")
SAMPLE += ("frames/getattr_frame", "import_hooks/own_file", "left_behind/thread", "lying/method_of_a_tensor")
SAMPLE += ("killing/keyboard_interrupt", "exhaustion/prints", "lying/device_between_calls")


@pytest.fixture(scope="module")
def verdicts(sandbox):
    """The verdicts on right submissions, a wrong one, and attacks, one after another in one worker."""
    attacks = [attack.job for attack in ATTACKS if attack.name in SAMPLE]
    right = [K05.solution, K05.alternatives[0]]
    jobs = [*attacks, Job(K05.slug, WRONG.read_bytes()), *(Job(K05.slug, path.read_bytes()) for path in right)]
    return judge_all(jobs, ROOT, sandbox, lanes=1)


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.name in SAMPLE], ids=lambda attack: attack.name)
def test_an_attack_gets_nothing_and_its_reason(verdicts, attack):
    assert attack.fault(verdicts[attack.job]) == ""


def test_who_comes_after_the_attacks_has_the_verdict_that_make_test_gives(verdicts, judge):
    for path in (K05.solution, K05.alternatives[0]):
        assert verdicts[Job(K05.slug, path.read_bytes())].verdict == "passed"
    got, want = verdicts[Job(K05.slug, WRONG.read_bytes())], judge.verdict(K05, path=WRONG)
    assert got.verdict == want.verdict == "failed" and got.message == want.message and got.step == want.step
    assert [step.status for step in got.steps] == [step.status for step in want.steps]
    assert (got.expected, got.got, got.diagnosis) == (want.expected, want.got, want.diagnosis)
    assert got.where.file == K05.file.name and got.where.line == want.where.line


def test_there_is_an_attack_of_every_kind():
    kinds = {attack.kind for attack in ATTACKS}
    assert len(ATTACKS) >= 60 and len(kinds) == 10 and {name.split("/")[0] for name in SAMPLE} == kinds
    assert all(attack.said("What it does") and attack.said("Expected") for attack in ATTACKS)


@dataclass
class FakeLane:
    """A worker that ends at what says so, and passes all else."""

    root: object
    sandbox: object
    slug: str = ""
    asked: list = field(default_factory=list)

    def ask(self, job):
        self.slug = job.slug
        return Verdict("k05", "error" if b"bad" in job.source else "passed")

    def close(self):
        pass


def test_a_thousand_submissions_with_a_bad_one_have_a_thousand_results(monkeypatch):
    monkeypatch.setattr(lanes, "Lane", FakeLane)
    jobs = [Job(f"k{number % 3:02}", b"bad" if number == 500 else str(number).encode()) for number in range(1000)]
    done = []
    verdicts = judge_all(jobs, ROOT, Sandbox("none"), lanes=4, done=lambda: done.append(1))
    assert len(verdicts) == len(done) == 1000
    assert [job.source for job, verdict in verdicts.items() if verdict.verdict != "passed"] == [b"bad"]


def test_a_worker_that_dies_is_replaced_and_its_submission_has_a_result(tmp_path, monkeypatch):
    """It is asked about twice, since it may have been another's fault."""
    log = tmp_path / "log"
    program = (
        "import sys, json\nfor line in sys.stdin:\n    open(sys.argv[1], 'a').write('asked\\n')\n"
        "    if 'bad' in line: sys.exit(3)\n"
        "    print(json.dumps(__import__('dojo.judge.verdict').judge.verdict.Verdict('k05').as_dict()), flush=True)\n"
    )
    script = tmp_path / "worker.py"
    script.write_text(program)
    command = Sandbox("none").command(ROOT, str(script), str(log))
    monkeypatch.setattr(Sandbox, "command", lambda self, root, *words: command)
    verdicts = judge_all([Job("k05_x", b"good"), Job("k05_x", b"bad"), Job("k05_x", b"fine")], ROOT, Sandbox("none"), 1)
    assert [verdict.verdict for verdict in verdicts.values()] == ["passed", "error", "passed"]
    assert log.read_text().count("asked") == 4


def test_what_is_not_there_not_begun_or_not_to_be_decided_is_said(tmp_path):
    for name, text in (("anna", stubs.stub_of(K05)), ("bert", "x = 1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / K05.file.name).write_text(text, encoding="utf-8")
    (tmp_path / "bert" / "old").mkdir()
    (tmp_path / "bert" / "old" / K05.file.name).write_text("x = 2\n", encoding="utf-8")
    (tmp_path / "carl.zip").write_bytes(b"no zip")
    grades = grade_all(read_all([tmp_path], CATALOG), CATALOG, Sandbox("none"), only=[K05])
    assert [grade.katas[0].standing for grade in grades] == ["not_started", "spoiled", "missing"]
    assert "two files" in grades[1].katas[0].feedback and "damaged" in grades[2].notes[0]
    assert {grade.points for grade in grades} == {0} and {grade.most for grade in grades} == {4}


def test_a_worker_sees_no_progress_and_no_runs_of_the_leader():
    inside = [path for path in seen(ROOT) if path.is_relative_to(ROOT)]
    assert ROOT not in inside and not any(path.name in ("runs", ".dojo", ".git", "downloads") for path in inside)


def test_without_a_sandbox_nobody_is_graded_unless_trusted(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NoSandbox, match="bubblewrap.*--trust"):
        choose(ROOT)
    assert choose(ROOT, trust=True).kind == "none"


def test_a_container_has_no_network_and_writes_nothing():
    words = Sandbox("podman").command(ROOT, "-m", "dojo.grading.worker", str(ROOT))
    text = " ".join(words)
    assert "--network none" in text and "--read-only" in text and "--cap-drop ALL" in text
    assert all(word.endswith(":ro") for word in words if word.count(":") == 2 and word.startswith("/"))


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_verb_grades_a_class(tmp_path, clone, form):
    shutil.copy(stubs_of(clone, tmp_path), tmp_path / "class" / "bert.py")
    words = ("grade", str(tmp_path / "class"), "--kata", "5", "--trust", "--format", form)
    result = clone.verb(*words)
    assert result.exit_code == 0, result.output
    if form == "json":
        assert [grade["name"] for grade in json.loads(result.stdout)] == ["bert"]
    else:
        assert "bert" in result.stdout and "0/4 not started" in result.stdout


def stubs_of(clone, folder):
    """A file with the stub of k05, in a folder of its own."""
    (folder / "class").mkdir()
    path = folder / "stub.py"
    path.write_text(stubs.stub_of(clone.kata("5")), encoding="utf-8")
    return path
