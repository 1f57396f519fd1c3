"""Run all attacks, or those whose name holds a word, and write what came of each into the README's table."""

import re
import sys
from pathlib import Path

from dojo.grading.lanes import judge_all
from dojo.grading.sandbox import choose

from .bank import ATTACKS, HERE

HEAD = """\
# Hostile submissions

What strangers could hand in to get points that they have not earned, or to do harm. Each is judged as a submission
of k05, apart, as `make grade` does; none may pass a step, none may change what comes of the next.
`python -m tests.attacks` runs them all and writes this table; `tests/dojo/grading/test_grading.py` runs some of each
kind, and `test_archives.py` makes hostile archives. What grading withstands, and what not, stands in
[dojo/README.md](../../dojo/README.md).

| attack | what it does | what comes of it |
| --- | --- | --- |
"""


def main(word: str = "") -> int:
    """Run them; returns how many did not come out as they must."""
    attacks = [attack for attack in ATTACKS if word in attack.name]
    root = Path.cwd()
    verdicts = judge_all([attack.job for attack in attacks], root, choose(root))
    faults = {attack.name: attack.fault(verdicts[attack.job]) for attack in attacks}
    rows = []
    for attack in attacks:
        verdict = verdicts[attack.job]
        message = re.sub(r"/proc/\S+", "/proc/…", " ".join(verdict.message.split())).replace("|", "\\|")
        rows.append(f"| `{attack.name}` | {attack.said('What it does')} | {verdict.verdict}: {message[:140]} |\n")
        if faults[attack.name]:
            print(f"{attack.name}: {faults[attack.name]}")
    if not word and not any(faults.values()):
        (HERE / "README.md").write_text(HEAD + "".join(rows), encoding="utf-8")
    print(f"{len(attacks)} attacks, {sum(map(bool, faults.values()))} of which did not come out as they must.")
    return sum(map(bool, faults.values()))


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
