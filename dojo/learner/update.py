"""Bring a newer version of the repository into a learner's clone, with git; what they wrote stays. No torch here.

Stubs come with git like every other file. A kata's file in which somebody wrote is copied to `.dojo/backups`, taken
out of git's way, and put back when git is done, so it never meets a conflict, committed or not.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..curriculum import stubs
from ..curriculum.catalog import Catalog, Kata
from ..system.command import command
from ..system.git import Git, UpdateError, reason
from ..system.processes import on_signals

COSMETIC = re.compile(r"^\s*# Step \d+: about \d+ lines?\.\n|\n*^# Stub [0-9a-f]{8}\b.*\n", re.MULTILINE)


@dataclass
class Work:
    """What a learner wrote in the file of a kata."""

    kata: Kata
    content: bytes
    backup: Path
    contract: str = ""  # how the stub changed since, as a diff


@dataclass
class Update:
    """What an update brought."""

    old: str  # the commit before
    new: str  # the commit of the newer version
    commits: int
    work: list[Work]
    renewed: list[Kata] = field(default_factory=list)  # stubs in which nobody had written
    added: list[Kata] = field(default_factory=list)
    gone: list[Kata] = field(default_factory=list)
    packages: bool = False  # whether other packages are needed
    news: str = ""  # the entries of CHANGELOG.md since the version of this program


def update(root: Path) -> Update | None:
    """Fetch the newer version and merge it; None where there is none. Raises UpdateError."""
    git = Git(root)
    upstream = _upstream(git)
    remote = git("config", f"branch.{git('symbolic-ref', '--short', 'HEAD')}.remote")
    fetched = git.run("fetch", "--quiet", remote)
    if fetched.returncode != 0:
        where = git.run("remote", "get-url", remote).stdout.decode().strip()
        raise UpdateError(f"{remote} ({where}) cannot be reached: {reason(fetched)} Try again with a network.")
    old, new = git("rev-parse", "HEAD"), git("rev-parse", upstream)
    base = _base(git, upstream)
    if base == new:
        return None
    katas = Catalog(root).katas
    mine = [kata for kata in katas if kata.file.is_file() and not stubs.untouched(stubs.read(kata.file) or "")]
    try:
        work = [Work(kata, kata.file.read_bytes(), stubs.back_up(kata)) for kata in mine]
    except OSError as error:
        raise UpdateError(f"Your files could not be kept, so nothing was changed: {error}.") from None
    # Ctrl-C and a closed terminal do nothing until the clone is whole again; git inherits that.
    with on_signals(("SIGINT", "SIGTERM", "SIGHUP"), signal.SIG_IGN), _out_of_the_way(git, katas, work, old, new):
        _merge(git, base, old, new, katas)
    brought = Update(old, new, len(git.lines("rev-list", f"{base}..{new}")), work)
    _compare(git, brought, base, katas)
    return brought


def _upstream(git: Git) -> str:
    """The branch that this clone follows, such as origin/main; raises UpdateError where an update has no place."""
    top = git.run("rev-parse", "--show-toplevel")
    if top.returncode != 0 or Path(top.stdout.decode().strip()).resolve() != git.root.resolve():
        raise UpdateError(
            "This folder is no git clone, so there is nothing to update it from. Clone the repository anew, and copy "
            f"your katas/ into it, and carry your progress: {_carry_progress()}"
        )
    if git.yes("rev-parse", "--quiet", "--verify", "MERGE_HEAD") or git.lines("ls-files", "--unmerged"):
        raise UpdateError("A merge is under way in this clone. End it first: git commit, or git merge --abort.")
    if not git.yes("symbolic-ref", "--quiet", "HEAD"):
        raise UpdateError("This clone is on no branch (a detached HEAD, or a rebase). Go to one first: git switch main")
    if not git.lines("remote"):
        raise UpdateError("This clone knows no remote to update from. Name it: git remote add origin URL")
    upstream = git.run("rev-parse", "--abbrev-ref", "@{upstream}")
    if upstream.returncode != 0:
        branch, remote = git("symbolic-ref", "--short", "HEAD"), git.lines("remote")[0]
        raise UpdateError(
            f"The branch {branch} follows no branch of a remote. Say which: "
            f"git fetch {remote}, then git branch --set-upstream-to={remote}/main"
        )
    return upstream.stdout.decode().strip()


def _base(git: Git, upstream: str) -> str:
    """The commit from which this clone and the newer version went their ways."""
    base = git.run("merge-base", "HEAD", upstream)
    fork = git.run("merge-base", "--fork-point", upstream, "HEAD").stdout.decode().strip()
    if base.returncode != 0 or fork and not git.yes("merge-base", "--is-ancestor", fork, upstream):
        raise UpdateError(
            f"{upstream} has diverged: its history was rewritten, so it cannot be merged. Nothing was changed. Clone "
            "the repository anew beside this one, copy your katas/ into it, and carry your "
            f"progress: {_carry_progress()}"
        )
    return base.stdout.decode().strip()


@contextlib.contextmanager
def _out_of_the_way(git: Git, katas: list[Kata], work: list[Work], old: str, new: str) -> Iterator[None]:
    """Let git find the katas' files as they were committed; afterwards put back what was written."""
    paths = [_path(kata) for kata in katas]
    try:
        git("reset", "--quiet", "HEAD", "--", *paths)
        moving = set(git.lines("diff", "--name-only", "HEAD", new, "--", *paths))
        for kata in katas:
            if _path(kata) in moving and git.yes("cat-file", "-e", f"HEAD:{_path(kata)}"):
                git("checkout", "--quiet", "HEAD", "--", _path(kata))
            elif _path(kata) in moving:
                kata.file.unlink(missing_ok=True)
        yield
    finally:
        for kept in work:
            if kept.kata.solution.is_file() and _is_gits(git, kept.kata, old, new):
                kept.kata.file.parent.mkdir(parents=True, exist_ok=True)
                kept.kata.file.write_bytes(kept.content)


def _is_gits(git: Git, kata: Kata, *commits: str) -> bool:
    """Whether a kata's file is gone, or as it is in one of these commits; if not, the learner saved it meanwhile."""
    content = kata.file.read_bytes() if kata.file.is_file() else None
    return content is None or content in [git.content(commit, _path(kata)) for commit in commits]


def _merge(git: Git, base: str, old: str, new: str, katas: list[Kata]) -> None:
    """Merge the newer version, the katas' files as they were committed where somebody wrote in them."""
    if base == old:
        done = git.run("merge", "--quiet", "--ff-only", new)
        if done.returncode != 0:
            raise UpdateError(_refused(done))
        return
    done = git.run("merge", "--quiet", "--no-ff", "--no-commit", new)
    if not git.yes("rev-parse", "--quiet", "--verify", "MERGE_HEAD"):
        raise UpdateError(_refused(done))
    try:
        for kata in katas:
            if git.content(old, _path(kata)) != git.content(base, _path(kata)):
                _decide(git, kata, old, new)
        if conflicts := git.lines("diff", "--name-only", "--diff-filter=U"):
            raise UpdateError(
                f"You committed changes to {', '.join(conflicts)} that conflict with the newer version's. Nothing was "
                "changed here. Merge by hand (git merge @{upstream}), or take back those commits (git revert)."
            )
        git("commit", "--quiet", "--no-verify", "-m", f"Merge the newer version {new[:7]}")
    except BaseException:
        git.run("merge", "--abort")
        raise


def _decide(git: Git, kata: Kata, old: str, new: str) -> None:
    """Decide a file that was committed on both sides: the learner's, unless it is a stub or the kata is gone."""
    mine = git.content(old, _path(kata))
    if git.content(new, _path(kata)) is None:
        git("rm", "--quiet", "--force", "--ignore-unmatch", "--", _path(kata))
    else:
        stub = mine is None or stubs.untouched(mine.decode(errors="replace"))
        git("checkout", "--quiet", new if stub else old, "--", _path(kata))


def _carry_progress() -> str:
    return f"{command('progress', EXPORT='mine.json')} here, {command('progress', IMPORT='mine.json')} there."


def _refused(done: subprocess.CompletedProcess[bytes]) -> str:
    """Why git would not begin to merge."""
    files = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line[:1].isspace()]
    if not files:
        return f"git merge failed: {reason(done)} Nothing was changed."
    update = command("update")
    aside = f"Nothing was changed here. Put yours aside, update, bring it back: git stash, {update}, git stash pop."
    return f"You changed {', '.join(files)}, and the newer version changes it too. {aside}"


def _compare(git: Git, brought: Update, base: str, katas: list[Kata]) -> None:
    """Fill in what became of each kata, and what else is new."""
    now, written = Catalog(git.root).katas, {kept.kata: kept for kept in brought.work}
    brought.added = [kata for kata in now if kata not in katas]
    brought.gone = [kata for kata in katas if kata not in now]
    needed = git.lines("diff", "--name-only", base, brought.new, "--", "pyproject.toml", "constraints.txt")
    brought.packages = bool(needed)
    brought.news = _news((git.content(brought.new, "CHANGELOG.md") or b"").decode(errors="replace"))
    for kata in [kata for kata in katas if kata in now]:
        before, after = (git.content(commit, _path(kata)) or b"" for commit in (base, brought.new))
        if before != after and kata not in written:
            brought.renewed.append(kata)
        elif before != after and (contract := _difference(before, after)):
            written[kata].contract = contract
            written[kata].backup.with_suffix(".diff").write_text(contract, encoding="utf-8")


def _difference(before: bytes, after: bytes) -> str:
    """How a stub changed, as a diff, its seal and the lengths of its steps aside."""
    old, new = (COSMETIC.sub("", text.decode(errors="replace")).splitlines() for text in (before, after))
    return "".join(f"{line}\n" for line in difflib.unified_diff(old, new, "the old stub", "the new stub", lineterm=""))


def _news(changelog: str) -> str:
    """The entries of a change log, newest first, down to that of the version of this program."""
    entries = re.split(r"^(?=## )", changelog, flags=re.MULTILINE)[1:]
    newer = itertools.takewhile(lambda entry: not re.match(rf"## {re.escape(__version__)}\b", entry), entries)
    return "".join(newer).strip()


def _path(kata: Kata) -> str:
    return kata.file.relative_to(kata.root).as_posix()
