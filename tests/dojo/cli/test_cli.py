"""What each verb prints, writes and leaves alone, and its exit status."""

import re
import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from dojo.cli.main import GROUPS, VERBS, app
from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.learner.advice import hint_text
from dojo.learner.session import Hints

from ..trees import ROOT


@pytest.fixture
def fresh(clone):
    return clone.renew()


@pytest.fixture
def black_belt(fresh):
    """The clone, with k04 for an optional kata."""
    lesson = fresh.kata("4").lesson
    text = lesson.read_text(encoding="utf-8")
    title, rest = text.split("\n", 1)
    lesson.write_text(f"{title}\n\n*Black belt: optional.*\n{rest}", encoding="utf-8")
    yield fresh
    lesson.write_text(text, encoding="utf-8")


# The board.


def test_the_board_lists_the_katas_and_what_is_next(fresh):
    shown = fresh.verb().stdout
    assert "GPT katas: 0 of 2 solved" in shown
    assert "→ · k04  Self-attention" in shown and "  · k05  Causal attention" in shown
    assert "Next: k04. Read katas/k04_self_attention/README.md, then make test KATA=4" in shown


def test_the_board_shows_what_is_solved_and_what_has_changed_since(fresh):
    fresh.solve("5")
    fresh.verb("test", "5")
    assert "✓ k05  Causal attention                solved" in fresh.verb().stdout
    fresh.save("5", fresh.solution("5") + "# better\n")
    assert "~ k05  Causal attention                solved before, changed since" in fresh.verb().stdout


def test_the_board_shows_the_step_one_is_at_and_what_broke(fresh):
    half = stubs.make_stub(fresh.solution("5"), solved=1)
    fresh.save("5", half)
    fresh.verb("test", "5")
    assert "… k05  Causal attention                step 2 of 4, 1 attempt\n" in fresh.verb().stdout
    fresh.save("5", half.replace("diagonal=1", "diagonal=0"))
    fresh.verb("test", "5")
    assert "step 1 of 4, 2 attempts\n" in fresh.verb().stdout
    fresh.solve("5")
    fresh.verb("test", "5")
    fresh.save("5", half.replace("diagonal=1", "diagonal=0"))
    assert "~ k05  Causal attention                solved before, changed since\n" in fresh.verb().stdout
    fresh.verb("test", "5")
    assert "✗ k05  Causal attention                solved before, broken since\n" in fresh.verb().stdout


def test_a_look_at_the_stub_is_no_attempt(fresh):
    fresh.verb("start")
    assert "attempt" not in fresh.verb().stdout


def test_the_board_says_what_to_do_when_all_is_solved(fresh):
    for name in ("4", "5"):
        fresh.solve(name)
    shown = fresh.verb("test").stdout
    assert "Every kata is solved. Train the GPT that you built: make train" in shown
    assert "2 of 2 solved" in fresh.verb().stdout and "make train" in fresh.verb().stdout
    assert "Every kata is solved" in fresh.verb("start").stdout
    assert "Every kata is solved" in fresh.verb("hint").stdout


def test_optional_katas_stand_apart_and_do_not_count(black_belt):
    shown = black_belt.verb().stdout
    assert "GPT katas: 0 of 1 solved\n\n→ · k05 " in shown and "Next: k05." in shown
    assert "\n\nBlack belt, optional: 0 of 1 solved\n\n  · k04 " in shown
    first, five, heading, four = [line for line in black_belt.verb("progress").stdout.splitlines() if line]
    assert (first, heading) == ("0 of 1 katas solved, 0 attempts", "Black belt, optional: 0 of 1 solved")
    assert five.startswith("k05") and four.startswith("k04")


def test_an_optional_kata_is_suggested_once_all_others_are_solved(black_belt):
    black_belt.solve("5")
    result = black_belt.verb("test")
    assert result.exit_code == 0 and "k04 ·" not in result.stdout
    assert "Every kata is solved. Train the GPT that you built: make train" in result.stdout
    shown = black_belt.verb("start").stdout
    assert "GPT katas: 1 of 1 solved" in shown and "→ · k04 " in shown
    suggested = "For a black belt: k04. Read katas/k04_self_attention/README.md, then make test KATA=4\n"
    assert shown.endswith(f"Every kata is solved. Train the GPT that you built: make train\n{suggested}")
    assert "k04 · Self-attention, step 1" in black_belt.verb("hint").stdout
    black_belt.solve("4")
    assert black_belt.verb("test", "4").exit_code == 0
    shown = black_belt.verb().stdout
    assert "GPT katas: 1 of 1 solved" in shown
    assert "Black belt, optional: 1 of 1 solved" in shown and "For a black belt" not in shown


def test_board_hint_solution_reset_and_stubs_import_no_torch(fresh):
    verbs = [[], ["hint", "5"], ["solution", "5"], ["reset", "5"], ["stubs"], ["progress"]]
    code = (
        "import sys\n"
        "from dojo.cli import main as cli\n"
        f"for verb in {verbs}:\n"
        "    try: cli.app(verb, prog_name='dojo')\n"
        "    except SystemExit as error: assert not error.code, error\n"
        "print('loaded', {'torch', 'numpy', 'hypothesis', 'pytest'} & set(sys.modules))"
    )
    done = fresh.process("-c", code)
    assert done.stdout.endswith("loaded set()\n"), done.stderr


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, names in VERBS.items() for name in names])
def test_the_list_of_verbs_says_what_each_verb_says_of_itself(file, name):
    assert app.get_command(None, name).get_short_help_str(999) == verbs_in(file)[name].get_short_help_str(999)


def test_every_verb_is_in_the_list():
    assert {file: set(names) for file, names in VERBS.items()} == {file: set(verbs_in(file)) for file in VERBS}
    files = {path.stem for path in (ROOT / "dojo" / "cli").glob("*.py") if "@click.command" in path.read_text("utf-8")}
    assert set(VERBS) == files


def test_the_help_lists_verbs_in_groups_each_with_a_whole_short_sentence(fresh):
    shown = fresh.verb("--help").stdout
    groups = re.findall(r"^(\w[\w ]*):\n((?:  .*\n)+)", shown, re.MULTILINE)[1:]  # but the options
    assert [title for title, _ in groups] == list(GROUPS)
    assert [file for files in GROUPS.values() for file in files] == list(VERBS)
    lines = [line for _, lines in groups for line in lines.splitlines()]
    assert [line.split()[0] for line in lines] == [name for names in VERBS.values() for name in names]
    assert all(line.endswith(".") and "..." not in line and len(line) < 80 for line in lines)
    assert "help: $(READY)\n\t@$(DOJO) --help" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dojo ben", ["bench", "bench-train"]),
        ("dojo hint s", ["self_attention"]),
        ("dojo test --t", ["--traceback"]),
    ],
)
def test_tab_completes_verbs_katas_and_options(fresh, typed, offered):
    words = {
        "DOJO_ROOT": str(fresh.root),
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
        "_DOJO_COMPLETE": "bash_complete",
    }
    result = CliRunner().invoke(app, [], prog_name="dojo", env=words)
    assert result.stdout.split() == [f"plain,{each}" for each in offered]


def verbs_in(module):
    members = vars(import_module(f"dojo.cli.{module}")).values()
    return {member.name: member for member in members if isinstance(member, click.Command)}


# Start and test.


def test_start_judges_the_next_kata_and_says_what_to_open(fresh):
    result = fresh.verb("start")
    assert result.exit_code == 0
    assert "0 of 2 solved" in result.stdout and "Step 1 is not started." in result.stdout
    ending = result.stdout.split("\n\n")[-1].splitlines()
    assert ending == [
        "Read the lesson:  katas/k04_self_attention/README.md",
        "Write your code:  katas/k04_self_attention/self_attention.py",
        "Then be judged:   make test KATA=4, or each time you save: make watch",
    ]


def test_test_without_a_name_stops_at_the_first_kata_that_is_not_solved(fresh):
    result = fresh.verb("test")
    assert result.exit_code == 1
    assert "k04 · Self-attention" in result.stdout and "k05" not in result.stdout
    fresh.solve("4")
    result = fresh.verb("test")
    assert result.exit_code == 1
    assert result.stdout.index("Passed, in") < result.stdout.index("k05 · Causal attention")


def test_katas_that_are_solved_are_judged_by_name_only(fresh):
    fresh.solve("4")
    fresh.solve("5")
    assert "k05 · Causal attention" in fresh.verb("test", "4").stdout
    shown = fresh.verb("test").stdout
    assert shown.startswith("k05 · Causal attention\n") and "step 1 · Softmax" not in shown
    assert "Every kata is solved. Train the GPT that you built: make train" in shown
    assert fresh.verb("test").stdout == "Every kata is solved. Train the GPT that you built: make train\n"
    fresh.save("4", fresh.solution("4") + "# changed\n")
    assert "k04 · Self-attention\n" in fresh.verb("test").stdout


def test_after_a_pass_the_next_kata_is_named_with_its_lesson_and_its_file(fresh):
    fresh.solve("4")
    assert fresh.verb("test", "4").stdout.endswith(
        "To compare: make solution KATA=4\n\n"
        "Next: k05 · Causal attention\n"
        "Read the lesson:  katas/k05_causal_attention/README.md\n"
        "Write your code:  katas/k05_causal_attention/causal_attention.py\n"
        "Then be judged:   make test KATA=5\n"
    )


def test_stand_ins_are_named_until_the_earlier_kata_is_solved(fresh):
    fresh.solve("5")
    said = "It uses the reference's softmax: k04 is not solved yet."
    assert said in fresh.verb("test", "5").stdout
    fresh.solve("4")
    assert said in fresh.verb("test", "5").stdout  # right, but not judged yet
    fresh.verb("test", "4")
    result = fresh.verb("test", "5")
    assert result.exit_code == 0 and said not in result.stdout


def test_a_solved_kata_is_what_the_next_one_builds_on(fresh):
    fresh.save("4", fresh.solution("4") + "\nprint('my own softmax')\n")
    fresh.verb("test", "4")
    fresh.solve("5")
    assert fresh.json("5")[1]["output"].startswith("my own softmax")


def test_a_failing_verdict_is_read_in_this_order(fresh):
    fresh.save("5", fresh.solution("5").replace("diagonal=1", "diagonal=0"))
    result = fresh.verb("test", "5")
    parts = [
        "k05 · Causal attention",
        "✗ step 1 · The mask",
        "causal_mask is True exactly where the key (column) comes after the query (row).",
        "causal_mask(1) has wrong values.",
        "The smallest example:\n    tokens = 1",
        "Expected:\n    [[»False«]]",
        "Got:\n    [[»True«]]",
        "It looks like this:\n  the diagonal is hidden. ",
        "katas/k05_causal_attention/causal_attention.py:",
        "Next: mend it, then make test KATA=5. A nudge: make hint KATA=5",
    ]
    places = [result.stdout.find(part) for part in parts]
    assert result.exit_code == 1 and -1 not in places and places == sorted(places), result.stdout


def test_the_traceback_is_shown_only_when_asked_for(fresh):
    fresh.save("5", fresh.solution("5") + "\n1 / 0\n")
    assert "Traceback" not in fresh.verb("test", "5").stdout
    assert "ZeroDivisionError: division by zero" in fresh.verb("test", "5", "--traceback").stdout


# Progress.


def test_progress_says_in_words_what_the_record_holds(fresh):
    fresh.solve("4")
    fresh.verb("test", "4")
    fresh.verb("hint", "5")
    for text in ("diagonal=0", "diagonal=-1"):
        fresh.save("5", fresh.solution("5").replace("diagonal=1", text))
        fresh.verb("test", "5")
    first, four, five, *steps = [line for line in fresh.verb("progress").stdout.splitlines() if line]
    assert first == "1 of 2 katas solved, 3 attempts"
    assert re.fullmatch(r"k04 · Self-attention: solved, 1 attempt, solved on \d{4}-\d\d-\d\d at \d\d:\d\d", four)
    assert five.startswith("k05 · Causal attention: step 1 of 4, 2 attempts, 1 hint, last tried on ")
    assert steps == [
        "    step 1 · The mask: failed, 2 times in a row at the same claim",
        "    step 2 · Masked softmax: not reached yet",
        "    step 3 · Dropout: not reached yet",
        "    step 4 · Causal attention: not reached yet",
    ]


def test_progress_is_carried_to_another_clone(fresh, tmp_path):
    fresh.solve("4")
    fresh.verb("test", "4")
    result = fresh.verb("progress", "--export", str(tmp_path / "mine.json"))
    assert result.exit_code == 0 and "make progress IMPORT=mine.json" in result.stdout
    assert "Your code is not in it" in result.stdout
    fresh.renew()
    said = "1 kata, 1 attempt new.\nYour code is not in it"
    assert said in fresh.verb("progress", "--import", str(tmp_path / "mine.json")).stdout
    assert "k04  Self-attention                  solved before, changed since" in fresh.verb().stdout
    fresh.solve("4")
    assert "✓ k04  Self-attention                  solved" in fresh.verb().stdout
    assert "0 attempts new" in fresh.verb("progress", "--import", str(tmp_path / "mine.json")).stdout


IMPORTS = {
    "is missing": (None, "There is no file"),
    "is damaged": ("{half", "is no record of progress, or damaged"),
    "is something else": ("[1]", "is no record of progress, or damaged"),
    "is newer": ('{"version": 9, "katas": {}}', "make update"),
}


@pytest.mark.parametrize(("content", "said"), IMPORTS.values(), ids=IMPORTS.keys())
def test_an_import_that_cannot_be_had_changes_nothing(fresh, tmp_path, content, said):
    if content is not None:
        (tmp_path / "theirs.json").write_text(content)
    result = fresh.verb("progress", "--import", str(tmp_path / "theirs.json"))
    assert result.exit_code == 1 and said in " ".join(result.stderr.split()) and result.stdout == ""
    assert not (fresh.root / ".dojo").exists()


def test_an_export_is_written_over_an_older_one_and_over_nothing_else(fresh, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for target, said in (("thesis.tex", "is something else"), (".", "Is a directory"), ("no/where", "No such file")):
        result = fresh.verb("progress", "--export", str(tmp_path / target))
        assert result.exit_code == 1 and said in " ".join(result.stderr.split())
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    for _ in range(2):
        assert fresh.verb("progress", "--export", str(tmp_path / "mine.json")).exit_code == 0


def test_a_record_of_a_newer_version_is_left_alone_by_every_verb(fresh, tmp_path):
    (fresh.root / ".dojo").mkdir()
    record = fresh.root / ".dojo" / "progress.json"
    record.write_text('{"version": 9}')
    fresh.solve("5")
    for words, status in (
        ([], 0),
        (["test", "5"], 0),
        (["hint", "5"], 0),
        (["progress"], 0),
        (["progress", "--export", str(tmp_path / "mine.json")], 1),
    ):
        result = fresh.verb(*words)
        assert result.exit_code == status and result.stderr.count("Your progress file is left alone") == 1
    assert record.read_text() == '{"version": 9}' and not list(tmp_path.iterdir())


# Hint and solution.


def test_hints_say_more_and_more_up_to_three(fresh):
    one, two, three, four = (fresh.verb("hint", "5").stdout for _ in range(4))
    assert "A question:" in one and "A direction:" not in one and "2 more: make hint KATA=5" in one
    assert "A direction:" in two and "Nearly the line:" not in two and "1 more" in two
    assert "Nearly the line:" in three and "That was the last. make solution KATA=5" in three
    assert four == three
    assert three.index("Nearly the line:") < three.index("Before it: a question and a direction.")
    assert "They stand at the end of katas/k05_causal_attention/README.md" in three


def test_a_hint_is_one_paragraph_however_the_lesson_breaks_its_lines():
    text = "Keep a list.\nIn a loop:\n\n- one\n- two\n\n    code\n    more"
    taken = Hints(1, [("A question", "Which?"), ("A direction", text)], 0)
    shown = hint_text(Catalog(ROOT).find("5"), taken).plain
    assert "\nKeep a list. In a loop:\n\n- one\n- two\n\n    code\n    more" in shown


def test_hints_are_for_the_step_one_stands_at(fresh):
    fresh.save("5", stubs.make_stub(fresh.solution("5"), solved=2))
    fresh.verb("test", "5")
    assert "step 3 · Dropout" in fresh.verb("hint", "5").stdout
    assert "step 1 · The mask" in fresh.verb("hint", "5", "--step", "1").stdout
    assert "k04 · Self-attention, step 1" in fresh.verb("hint").stdout


def test_a_step_that_is_not_there_is_a_usage_error(fresh):
    result = fresh.verb("hint", "5", "--step", "9")
    assert result.exit_code == 2
    assert "k05 has no step 9: it has 1, 2, 3, 4." in result.stderr


def test_a_lesson_without_hints_says_so(fresh):
    lesson = fresh.kata("5").lesson
    text = lesson.read_text(encoding="utf-8")
    try:
        lesson.write_text(text[: text.index("## Hints")], encoding="utf-8")
        result = fresh.verb("hint", "5")
    finally:
        lesson.write_text(text, encoding="utf-8")
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())  # a narrow terminal breaks the line
    assert said == "There are no hints for step 1 of k05. The lesson: katas/k05_causal_attention/README.md"


def test_the_solution_is_printed_as_it_is_without_its_markers(fresh):
    done = fresh.process("-m", "dojo", "solution", "5")
    lines = [line for line in fresh.solution("5").splitlines() if "solution step=" not in line and "</sol" not in line]
    assert done.stdout.splitlines() == lines
    assert "k05 is not solved yet; a hint may be enough: make hint KATA=5" in done.stderr


# Reset and stubs.


def test_reset_keeps_the_work_and_brings_the_stub_back(fresh):
    fresh.save("5", "# my work\n")
    result = fresh.verb("reset", "5")
    (kept,) = (fresh.root / ".dojo" / "backups").iterdir()
    assert kept.read_text() == "# my work\n" and f"Your file is kept as .dojo/backups/{kept.name}" in result.stdout
    assert fresh.kata("5").file.read_text(encoding="utf-8") == stubs.stub_of(fresh.kata("5"))


def test_reset_of_an_untouched_stub_keeps_nothing(fresh):
    assert "is the untouched stub already" in fresh.verb("reset", "5").stdout
    assert not (fresh.root / ".dojo").exists()


def test_reset_brings_a_deleted_file_back(fresh):
    fresh.kata("5").file.unlink()
    assert fresh.verb("reset", "5").exit_code == 0
    assert not stubs.outdated(fresh.kata("5"))


def test_reset_changes_nothing_where_the_work_cannot_be_kept(fresh):
    fresh.save("5", "# my work\n")
    (fresh.root / ".dojo").write_text("a file where the folder should be")
    result = fresh.verb("reset", "5")
    assert result.exit_code == 1 and "could not be kept" in result.stderr and "Traceback" not in result.stderr
    assert fresh.kata("5").file.read_text() == "# my work\n"


def test_stubs_leaves_work_alone_and_renews_an_untouched_stub(fresh):
    fresh.save("5", "# my work\n")
    old = stubs.make_stub(fresh.solution("4").replace("softmax", "soft_max"))
    fresh.save("4", old)
    assert fresh.verb("stubs", "--check").exit_code == 1
    assert fresh.kata("4").file.read_text(encoding="utf-8") == old
    assert fresh.verb("stubs").stdout == "katas/k04_self_attention/self_attention.py written\n"
    assert not stubs.outdated(fresh.kata("4")) and fresh.kata("5").file.read_text() == "# my work\n"
    assert fresh.verb("stubs", "--check").exit_code == 0


# Usage errors and trouble with the tree.


@pytest.mark.parametrize("verb", ["test", "hint", "solution", "reset"])
def test_an_unknown_kata_suggests_the_nearest(fresh, verb):
    result = fresh.verb(verb, "casual_attention")
    assert result.exit_code == 2 and result.stdout == ""
    assert 'There is no kata "casual_attention". Did you mean causal_attention (k05)?' in result.stderr


@pytest.mark.parametrize("words", [["test", "5", "--jsn"], ["tset"], ["solution"], ["hint", "5", "--step", "two"]])
def test_what_no_verb_understands_is_a_usage_error(fresh, words):
    result = fresh.verb(*words)
    assert result.exit_code == 2 and "Traceback" not in result.stderr


def test_a_verdict_stands_where_progress_cannot_be_written(fresh):
    (fresh.root / ".dojo").write_text("a file where the folder should be")
    fresh.solve("5")
    result = fresh.verb("test", "5")
    assert result.exit_code == 0 and "Passed, in" in result.stdout
    assert "Your progress could not be written" in result.stderr and "The verdict stands." in result.stderr


def test_damaged_progress_is_set_aside_and_the_board_is_shown(fresh):
    (fresh.root / ".dojo").mkdir()
    (fresh.root / ".dojo" / "progress.json").write_text("{half")
    result = fresh.verb()
    assert result.exit_code == 0 and "0 of 2 solved" in result.stdout
    assert "The progress file was damaged" in result.stderr
    (aside,) = (fresh.root / ".dojo").glob("progress.damaged-*.json")
    assert aside.read_text() == "{half"


def test_whoever_ends_a_verb_ends_what_it_started():
    verb = """
import time
from dojo.cli import main as cli

def app(prog_name):
    try:
        print("at work", flush=True)
        time.sleep(60)
    finally:
        print("put away")

cli.app = app
cli.main()
"""
    with subprocess.Popen([sys.executable, "-c", verb], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "at work\n"
        process.terminate()
        assert (process.stdout.read(), process.wait()) == ("put away\n", 143)
