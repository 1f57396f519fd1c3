"""A newer version comes with real git from a real remote, and what a learner wrote outlives it."""

import os
import shutil
import signal
import subprocess

import pytest
from click.testing import CliRunner

from dojo import __version__
from dojo.cli import main as cli
from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.judge.verdict import Verdict
from dojo.learner import update as updates
from dojo.learner.progress import Progress

from ..trees import ROOT

SOLUTION = '''"""Add."""


def add(a: int, b: int) -> int:
    """Return the sum."""
    # <solution step=1>
    return a + b
    # </solution>
'''
STRICTER = SOLUTION.replace("b: int)", "b: int, c: int = 0)").replace("a + b", "a + b + c")
WORK = '''"""Add."""


def add(a: int, b: int) -> int:
    """Return the sum."""
    return sum([a, b])  # mine
'''


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "somebody@example.org")


class Authors:
    """The authors' clone, from which newer versions are pushed."""

    def __init__(self, root, remote):
        self.root = root
        git(root.parent, "clone", "-q", str(remote), str(root))
        git(root, "checkout", "-q", "-b", "main")
        shutil.copy(ROOT / ".gitignore", root / ".gitignore")
        self.push({"README.md": "one\ntwo\nthree\n"} | self.kata("k01_add") | self.kata("k02_sub"))

    def kata(self, slug, solution=SOLUTION):
        """The files of a kata, its stub too."""
        name = slug.split("_")[1]
        return {f"solutions/{slug}/{name}.py": solution, f"katas/{slug}/{name}.py": stubs.make_stub(solution)}

    def push(self, files, *words):
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "-m", "A newer version", *words)
        git(self.root, "push", "-q", "--force", "-u", "origin", "main")


class Learner:
    """A learner's clone."""

    def __init__(self, root, remote):
        self.root = root
        git(root.parent, "clone", "-q", str(remote), str(root))

    @property
    def file(self):
        return self.root / "katas" / "k01_add" / "add.py"

    @property
    def other(self):
        return self.root / "katas" / "k02_sub" / "sub.py"

    def write(self, text=WORK, commit=False, stage=False):
        self.file.write_text(text)
        if commit or stage:
            git(self.root, "add", "-A")
        if commit:
            git(self.root, "commit", "-q", "-m", "My work")

    def update(self):
        result = CliRunner().invoke(cli.app, ["update"], env={"DOJO_ROOT": str(self.root)})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def refused(self):
        """What is said to an update that is refused, which leaves everything as it was."""
        before = self.state()
        result = self.update()
        assert result.exit_code == 1 and result.stdout == ""
        assert self.state() == before
        return " ".join(result.stderr.split())

    def state(self):
        files = {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file() and self.own(path)}
        return files, git(self.root, "rev-parse", "HEAD"), git(self.root, "status", "--porcelain")

    def own(self, path):
        return not {".git", ".dojo"} & set(path.relative_to(self.root).parts)

    def backups(self, kind="py"):
        return [path.read_text() for path in sorted((self.root / ".dojo" / "backups").glob(f"*.{kind}"))]


@pytest.fixture
def remote(tmp_path):
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def authors(tmp_path, remote):
    return Authors(tmp_path / "authors", remote)


@pytest.fixture
def learner(tmp_path, remote, authors):
    return Learner(tmp_path / "learner", remote)


EDITS = {
    "not committed": {},
    "staged": {"stage": True},
    "committed": {"commit": True},
}


def test_without_a_newer_version_nothing_happens(learner):
    learner.write()
    before = learner.state()
    result = learner.update()
    assert (result.exit_code, result.stdout) == (0, "This is the newest version already.\n")
    assert learner.state() == before and not (learner.root / ".dojo").exists()


def test_stubs_that_were_not_touched_are_renewed_and_new_katas_come(authors, learner):
    authors.push(authors.kata("k01_add", STRICTER) | authors.kata("k03_new") | {"README.md": "new\n"})
    result = learner.update()
    assert result.exit_code == 0 and "Updated by 1 commit, from" in result.stdout
    assert "New: k03\n" in result.stdout and "renewed: k01\n" in result.stdout and "Yours" not in result.stdout
    assert learner.file.read_text() == stubs.make_stub(STRICTER)
    assert (learner.root / "README.md").read_text() == "new\n" and not (learner.root / ".dojo").exists()
    assert git(learner.root, "status", "--porcelain") == ""


@pytest.mark.parametrize("how", EDITS.values(), ids=EDITS.keys())
def test_work_is_kept_where_the_newer_version_changes_the_stub(authors, learner, how):
    learner.write(**how)
    authors.push(authors.kata("k01_add", STRICTER) | authors.kata("k02_sub", STRICTER))
    result = learner.update()
    assert result.exit_code == 0, result.stderr
    assert learner.file.read_text() == WORK and learner.backups() == [WORK]
    assert learner.other.read_text() == stubs.make_stub(STRICTER)
    assert "renewed: k02\n" in result.stdout and "copies are in .dojo/backups: k01\n" in result.stdout
    assert git(learner.root, "merge-base", "HEAD", "@{upstream}") == git(authors.root, "rev-parse", "HEAD")
    assert not git(learner.root, "ls-files", "--unmerged")
    assert "already" in learner.update().stdout and learner.file.read_text() == WORK


@pytest.mark.parametrize("how", EDITS.values(), ids=EDITS.keys())
def test_a_changed_contract_is_shown_as_a_difference_beside_the_backup(authors, learner, how):
    learner.write(**how)
    authors.push(authors.kata("k01_add", STRICTER))
    shown = learner.update().stdout
    (kept,) = learner.backups("diff")
    assert "-def add(a: int, b: int) -> int:\n+def add(a: int, b: int, c: int = 0) -> int:\n" in kept
    assert kept in shown and "The contract of k01 · Add changed." in shown and "make test KATA=1" in shown
    assert "Stub" not in kept


def test_a_solved_kata_has_to_pass_again_when_its_contract_changed(authors, learner):
    learner.write()
    first, second = Catalog(learner.root).katas
    second.file.write_text(WORK)
    progress = Progress.load(learner.root)
    for kata in (first, second):
        progress.note(kata, Verdict(kata.code))
    progress.save()
    authors.push(authors.kata("k01_add", STRICTER))
    learner.update()
    progress = Progress.load(learner.root)
    assert (progress.status(first), progress.status(second)) == ("changed", "solved")


def test_a_shallow_clone_is_brought_up_to_date_too(authors, learner, tmp_path):
    authors.push({"README.md": "newer\n"})
    shutil.rmtree(learner.root)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path}/remote.git", str(learner.root))
    learner.write(commit=True)
    authors.push(authors.kata("k01_add", STRICTER) | authors.kata("k02_sub", STRICTER))
    assert learner.update().exit_code == 0
    assert learner.file.read_text() == WORK and learner.other.read_text() == stubs.make_stub(STRICTER)


def test_a_longer_solution_is_no_changed_contract(authors, learner):
    learner.write()
    authors.push(authors.kata("k01_add", SOLUTION.replace("    return a + b", "    c = a\n    return c + b")))
    assert "contract" not in learner.update().stdout
    assert learner.backups("diff") == [] and learner.file.read_text() == WORK


def test_committed_work_stays_in_the_history_and_in_the_tree(authors, learner):
    learner.write(commit=True)
    learner.write(WORK + "# and more\n")
    authors.push(authors.kata("k01_add", STRICTER) | {"README.md": "new\n"})
    learner.update()
    assert learner.file.read_text() == WORK + "# and more\n"
    assert git(learner.root, "show", "HEAD:katas/k01_add/add.py") + "\n" == WORK
    assert git(learner.root, "log", "-1", "--format=%s", "HEAD^") == "My work"
    assert (learner.root / "README.md").read_text() == "new\n"


def test_staged_work_in_a_kata_that_did_not_change_stops_no_merge(authors, learner):
    learner.write(commit=True)
    learner.other.write_text(WORK)
    git(learner.root, "add", "-A")
    authors.push({"README.md": "new\n"})
    assert learner.update().exit_code == 0 and learner.other.read_text() == WORK


def test_work_that_would_merge_without_a_conflict_is_not_merged(authors, learner):
    """Half of the old contract and half of the new one is nobody's."""
    longer = SOLUTION + "\n" * 9 + "NAME = 'add'\n"
    authors.push(authors.kata("k01_add", longer))
    learner.update()
    work = stubs.SEAL.sub("", stubs.make_stub(longer)).replace("raise", "return a + b  # raise")
    learner.write(work, commit=True)
    authors.push(authors.kata("k01_add", longer.replace("'add'", "'sum'")))
    learner.update()
    assert learner.file.read_text() == work


def test_a_committed_stub_of_another_version_is_renewed_all_the_same(authors, learner):
    learner.write(stubs.make_stub(SOLUTION.replace("sum", "total")), commit=True)
    authors.push(authors.kata("k01_add", STRICTER))
    assert learner.update().exit_code == 0
    assert learner.file.read_text() == stubs.make_stub(STRICTER)


def test_a_deleted_stub_comes_back(authors, learner):
    learner.file.unlink()
    authors.push(authors.kata("k01_add", STRICTER))
    assert learner.update().exit_code == 0 and learner.file.read_text() == stubs.make_stub(STRICTER)


def test_work_that_git_does_not_know_of_is_kept(authors, learner):
    git(learner.root, "rm", "-q", "--cached", "katas/k01_add/add.py")
    git(learner.root, "commit", "-q", "-m", "Not for git")
    learner.write(b"\xff not UTF-8".decode("latin-1"))
    authors.push(authors.kata("k01_add", STRICTER))
    assert learner.update().exit_code == 0
    assert learner.file.read_text() == "ÿ not UTF-8"


@pytest.mark.parametrize("how", EDITS.values(), ids=EDITS.keys())
def test_work_in_a_kata_that_is_gone_is_in_the_backups(authors, learner, how):
    learner.write(**how)
    for tree in ("katas", "solutions"):
        shutil.rmtree(authors.root / tree / "k01_add")
    authors.push({})
    result = learner.update()
    assert result.exit_code == 0 and "No longer there; what you wrote is in .dojo/backups: k01" in result.stdout
    assert not learner.file.exists() and learner.backups() == [WORK]


def test_it_says_when_other_packages_are_needed(authors, learner):
    authors.push({"constraints.txt": "rich==99\n"})
    assert "It needs other packages. make installs them" in learner.update().stdout


def test_it_shows_what_is_new_since_the_version_that_was_there(authors, learner):
    news = "## 9.1 · 2030-02-01\n\n- A kata more.\n\n## 9.0 · 2030-01-01\n\n- A [kata] less.\n\n"
    known = f"## {__version__} · 2026-11-30\n\n- The house.\n\n## 0.1.0 · 2026-11-26\n\n- All of it.\n"
    authors.push({"CHANGELOG.md": f"# Changes\n\n{news}{known}"})
    assert f"\nWhat is new:\n\n{news.strip()}\n" in learner.update().stdout
    authors.push({"CHANGELOG.md": f"# Changes\n\n{known}", "README.md": "newer\n"})
    shown = learner.update()
    assert shown.exit_code == 0 and "What is new" not in shown.stdout


# What stops an update, and leaves everything as it was.


@pytest.mark.parametrize("commit", [False, True])
def test_a_change_elsewhere_that_stands_in_the_way_is_named(authors, learner, commit):
    learner.write()
    (learner.root / "README.md").write_text("one\nmine\nthree\n")
    if commit:
        git(learner.root, "commit", "-q", "-m", "Mine", "README.md")
    authors.push(authors.kata("k01_add", STRICTER) | {"README.md": "one\nnew\nthree\n"})
    said = learner.refused()
    assert "README.md" in said and "Nothing was changed here." in said
    assert ("git stash, make update" in said) is not commit and ("conflict" in said) is commit
    assert learner.backups() == [WORK]


def test_a_change_elsewhere_that_does_not_stand_in_the_way_is_kept(authors, learner):
    (learner.root / "README.md").write_text("mine\n")
    (learner.root / "notes.txt").write_text("mine\n")
    authors.push(authors.kata("k01_add", STRICTER))
    assert learner.update().exit_code == 0
    assert (learner.root / "README.md").read_text() == (learner.root / "notes.txt").read_text() == "mine\n"


def test_a_file_of_ones_own_where_a_new_one_would_come_is_named(authors, learner):
    (learner.root / "notes.txt").write_text("mine\n")
    authors.push({"notes.txt": "theirs\n"})
    assert "notes.txt" in learner.refused()


def test_offline_says_which_remote_and_what_to_do(learner, remote):
    learner.write()
    remote.rename(remote.with_name("away.git"))
    said = learner.refused()
    assert said.startswith("origin (") and "cannot be reached" in said and "Try again with a network." in said


@pytest.mark.parametrize("shared", [False, True], ids=["from the beginning", "from a later commit"])
def test_a_rewritten_history_is_not_merged_however_often_one_asks(authors, learner, shared):
    if shared:
        authors.push({"README.md": "newer\n"})
        learner.update()
    learner.write(commit=True)
    authors.push({"README.md": "rewritten\n"}, "--amend")
    for _ in range(2):
        assert "origin/main has diverged: its history was rewritten" in learner.refused()


def test_a_folder_that_is_no_clone(learner):
    shutil.rmtree(learner.root / ".git")
    result = learner.update()
    assert result.exit_code == 1 and "This folder is no git clone" in result.stderr


def test_a_folder_inside_somebody_elses_clone(learner, tmp_path, authors):
    inside = authors.root / "inside"
    shutil.copytree(learner.root, inside, ignore=shutil.ignore_patterns(".git"))
    with pytest.raises(updates.UpdateError, match="no git clone"):
        updates.update(inside)


def test_no_git(learner, monkeypatch):
    monkeypatch.setenv("PATH", "")
    result = learner.update()
    assert result.exit_code == 1 and "git is not installed" in result.stderr


PLIGHTS = {
    "no remote": (["remote", "remove", "origin"], "knows no remote"),
    "no upstream": (["checkout", "-q", "-b", "mine", "--no-track"], "The branch mine follows no branch of a remote."),
    "on no branch": (["checkout", "-q", "--detach"], "on no branch"),
}


@pytest.mark.parametrize(("words", "said"), PLIGHTS.values(), ids=PLIGHTS.keys())
def test_a_clone_that_follows_nothing(authors, learner, words, said):
    learner.write()
    git(learner.root, *words)
    authors.push(authors.kata("k01_add", STRICTER))
    assert said in learner.refused()


def test_a_merge_that_is_under_way(authors, learner):
    (learner.root / "README.md").write_text("mine\n")
    git(learner.root, "commit", "-qam", "Mine")
    authors.push({"README.md": "theirs\n"})
    subprocess.run(["git", "pull", "-q", "--no-rebase"], cwd=learner.root, capture_output=True)
    assert "A merge is under way" in learner.refused()


def test_where_no_copy_can_be_kept_nothing_is_changed(authors, learner):
    learner.write()
    (learner.root / ".dojo").write_text("a file where the folder should be")
    authors.push(authors.kata("k01_add", STRICTER))
    assert "could not be kept, so nothing was changed" in learner.refused()


def test_git_failing_in_the_middle_leaves_work_where_it_was(authors, learner, monkeypatch):
    """As when the commit cannot be made: nobody has told git their name."""
    learner.write(commit=True)
    learner.write(WORK + "# and more\n")
    authors.push(authors.kata("k01_add", STRICTER))
    hook = learner.root / ".git" / "hooks" / "prepare-commit-msg"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert "git commit failed" in learner.refused()


def test_an_interrupt_waits_until_the_clone_is_whole(authors, learner, monkeypatch):
    learner.write()
    authors.push(authors.kata("k01_add", STRICTER))
    merge = updates._merge

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        merge(*arguments)

    monkeypatch.setattr(updates, "_merge", interrupted)
    before = signal.getsignal(signal.SIGINT)  # ignored, where a shell started the tests in the background
    assert learner.update().exit_code == 0 and learner.file.read_text() == WORK
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_saved_while_git_works_is_not_overwritten(authors, learner, monkeypatch):
    learner.write()
    authors.push(authors.kata("k01_add", STRICTER))
    merge = updates._merge

    def saved_meanwhile(*arguments):
        merge(*arguments)
        learner.file.write_text(WORK + "# and more\n")

    monkeypatch.setattr(updates, "_merge", saved_meanwhile)
    assert learner.update().exit_code == 0
    assert learner.file.read_text() == WORK + "# and more\n"
