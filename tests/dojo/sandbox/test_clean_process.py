"""In a clean process the code under test is loaded anew, whether the process was forked before or is started."""

import os

import pytest

from dojo.curriculum.catalog import Catalog
from dojo.sandbox import clean_process
from dojo.sandbox.clean_process import CleanProcessError
from dojo.sandbox.loader import LEARNER, Workspace
from dojo.spec.isolation import isolated

from ..trees import ROOT

KATA = Catalog(ROOT).find("5")
TEXT = "from ..k04_self_attention.self_attention import softmax\n\nCALLS = []\n"


def count(kata, word):
    kata.CALLS.append(word)
    return len(kata.CALLS), str(kata.softmax.__module__)


def fail(kata):
    raise ValueError(len(kata.CALLS))


@pytest.fixture(params=["forked", "started"])
def subject(request):
    clean_process._spare = None
    if request.param == "forked":
        if not hasattr(os, "fork"):
            pytest.skip("the system cannot fork")
        clean_process.prepare()
    name = f"{LEARNER}.{KATA.slug}.{KATA.name}"
    return Workspace(Catalog(ROOT)).load_text(KATA, TEXT, "learned.py", name)


def test_what_was_done_here_is_not_there(subject):
    here = f"{LEARNER}.k04_self_attention.self_attention"
    assert [count(subject, "a"), count(subject, "b")] == [(1, here), (2, here)]
    assert subject.in_clean_process(count, "c") == (1, here)


def dtype(kata):
    import torch

    return str(torch.ones(1).dtype)


def test_numbers_are_of_the_precision_that_they_have_here(subject):
    with isolated(True, []):
        assert subject.in_clean_process(dtype) == "torch.float64"


def test_what_is_raised_there_is_told_here(subject):
    with pytest.raises(CleanProcessError, match=r"^in a new process: ValueError: 0$"):
        subject.in_clean_process(fail)
