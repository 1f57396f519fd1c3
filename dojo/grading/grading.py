"""From what strangers hand in to what each of them gets. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..curriculum.catalog import Catalog, Kata
from ..judge.verdict import Verdict
from .grades import Grade, KataGrade, judged, points_of, unjudged
from .lanes import Job, judge_all
from .sandbox import Sandbox
from .submissions import Submission, untouched

NOT_HANDED_IN = "There is no file for it."
NOT_STARTED = "It is the stub as it was given out: nothing is written yet."


def grade_all(
    submissions: list[Submission],
    catalog: Catalog,
    sandbox: Sandbox,
    only: Iterable[Kata] = (),
    worth: Mapping[str, int] | None = None,
    lanes: int = 0,
    begin: Callable[[int], Callable[[], object]] = lambda count: lambda: None,
) -> list[Grade]:
    """The grade of each submission, for the same katas: `only` these, else all that somebody has begun.

    `worth` gives the points of katas, by their codes. `begin` is called with how many files there are to judge, and
    what it returns after each.
    """
    katas = list(only) or [kata for kata in catalog.katas if any(_begun(kata, each) for each in submissions)]
    jobs = [Job(kata.slug, each.files[kata.slug]) for kata in katas for each in submissions if _begun(kata, each)]
    jobs = list(dict.fromkeys(jobs))
    verdicts = judge_all(jobs, catalog.root, sandbox, lanes, begin(len(jobs)))
    points = {kata: points_of(kata, worth or {}) for kata in katas}
    return [
        Grade(each.name, [_of(kata, each, verdicts, points[kata]) for kata in katas], _notes(each))
        for each in submissions
    ]


def _begun(kata: Kata, submission: Submission) -> bool:
    """Whether there is something of a kata to judge."""
    content = submission.files.get(kata.slug)
    return content is not None and not untouched(content)


def _of(kata: Kata, submission: Submission, verdicts: Mapping[Job, Verdict], points: Mapping[int, int]) -> KataGrade:
    if kata.slug in submission.spoiled:
        return unjudged(kata, "spoiled", submission.spoiled[kata.slug], points)
    if kata.slug not in submission.files:
        return unjudged(kata, "missing", NOT_HANDED_IN, points)
    if not _begun(kata, submission):
        return unjudged(kata, "not_started", NOT_STARTED, points)
    return judged(kata, verdicts[Job(kata.slug, submission.files[kata.slug])], points)


def _notes(submission: Submission) -> list[str]:
    return [*filter(None, [submission.unreadable]), *submission.notes]
