"""A stub is the solution without what stands between the markers."""

import pytest

from dojo.curriculum.stubs import StubError, make_stub, steps, untouched

SOLUTION = '''"""A lesson."""


def one(x):
    """Say what."""
    # <solution step=1>
    y = x + 1

    return y
    # </solution>


def two(x):
    given = 2
    # <solution step=2>
    return x * given
    # </solution>
'''
STUB = '''"""A lesson."""


def one(x):
    """Say what."""
    # Step 1: about 2 lines.
    raise NotImplementedError("step 1")


def two(x):
    given = 2
    # Step 2: about 1 line.
    raise NotImplementedError("step 2")
'''


def bare(stub):
    """A stub without its seal."""
    return stub.split("\n\n\n# Stub ")[0] + "\n"


def test_what_stands_between_the_markers_becomes_a_step_to_write():
    assert bare(make_stub(SOLUTION)) == STUB


def test_steps_already_solved_stay():
    assert "return y" in make_stub(SOLUTION, solved=1) and "x * given" not in make_stub(SOLUTION, solved=1)
    assert "x * given" in make_stub(SOLUTION, solved=2) and "solution" not in make_stub(SOLUTION, solved=2)


def test_steps_are_listed_once_and_in_order():
    assert steps(SOLUTION + SOLUTION) == [1, 2]


def test_a_stub_is_known_as_untouched_until_somebody_writes_in_it():
    stub = make_stub(SOLUTION)
    assert untouched(stub)
    assert not untouched(stub.replace("given = 2", "given = 3"))
    assert not untouched(stub.replace('    raise NotImplementedError("step 1")', "    return x"))
    assert not untouched(STUB) and not untouched("")


def test_markers_that_do_not_pair_up_are_told_with_their_lines():
    with pytest.raises(StubError, match=r"k16\.py, line 2: a marker opens inside another, opened on line 1"):
        make_stub("# <solution step=1>\n# <solution step=2>\n", "k16.py")
    with pytest.raises(StubError, match="line 1: a marker closes that was not opened"):
        make_stub("# </solution>\n")
    with pytest.raises(StubError, match="line 1: a marker opens that is never closed"):
        make_stub("# <solution step=1>\n")
