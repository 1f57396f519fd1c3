"""The archive that Gradescope runs submissions with: `setup.sh`, `run_autograder`, and the repository. No torch."""

from __future__ import annotations

from pathlib import Path

from ..curriculum.notebooks import project
from .handin import zipped

SETUP = """\
#!/usr/bin/env bash
set -e
apt-get update && apt-get install -y --no-install-recommends bubblewrap python3 python3-venv
python3 -m venv /autograder/venv
/autograder/venv/bin/pip install --no-cache-dir -c /autograder/source/constraints.txt {packages}
"""

# A container in which no namespace can be made is one itself: it holds one submission, has no other in sight, and goes
# with it. What it has in sight besides, such as the solutions, the policy keeps from the submission.
RUN = """\
#!/usr/bin/env bash
cd /autograder/source
export DOJO_ROOT=/autograder/source PYTHONPATH=/autograder/source
/autograder/venv/bin/python -m dojo grade /autograder/submission --format gradescope --trust {katas} \\
    --out /autograder/results/results.json
"""

# What grading needs of a clone, by what the paths begin with.
NEEDED = (
    *("dojo/", "solutions/k", "katas/", "tests/katas/", "tests/mistakes/", "tests/__init__.py", "data/index/"),
    *("data/small_ranks.tiktoken", "data/sources.toml", "data/verona.toml", "pyproject.toml", "constraints.txt"),
    *("README.md", "LICENSE"),
)
LEFT_OUT = ("__pycache__", ".pyc", ".ipynb_checkpoints")


def autograder(root: Path, katas: list[str]) -> bytes:
    """The archive, for these katas or, without any, for all that somebody hands in."""
    wanted = " ".join(f"--kata {code}" for code in katas)
    packages = " ".join(f"'{package}'" for package in project(root)["dependencies"])
    files = {"setup.sh": SETUP.format(packages=packages).encode(), "run_autograder": RUN.format(katas=wanted).encode()}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith(NEEDED) and path.is_file() and not any(part in name for part in LEFT_OUT):
            files[name] = path.read_bytes()
    return zipped(files)
