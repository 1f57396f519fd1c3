"""Run every test, spread over processes: `python -m tests.run_all`, with further arguments for pytest.

The proof has processes of its own: those in which all other tests ran have grown slow, on the clock of whatever code
they judge next. The other tests mostly wait for processes, so a third worker finds time; the longest come first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

PROOF = "tests/dojo/test_proof.py"
LONGEST = ["tests/dojo/learner/test_watch.py", "tests/dojo/judge/test_bad_input.py"]
RUNS = {
    "-n 2 --dist loadgroup": [PROOF],
    "-n 3 --dist loadfile --no-loadscope-reorder": [*LONGEST, "tests/dojo", f"--ignore={PROOF}"],
}
NOTHING = 5  # pytest's status where the arguments select no test


def main(arguments: list[str]) -> int:
    """Run them, and return the worst exit status."""
    # Tests call make as a learner does, not as a part of the make that may have started this.
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "DOJO_DOOR"))
    }
    environment["PYTHONDONTWRITEBYTECODE"] = ""  # else each of many processes compiles all of it anew
    statuses = []
    for spread, tests in RUNS.items():
        command = [sys.executable, "-m", "pytest", "-q", *tests, *(spread.split() if find_spec("xdist") else [])]
        statuses.append(subprocess.run([*command, *arguments], env=environment).returncode)
    return max((status for status in statuses if status != NOTHING), default=NOTHING)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
