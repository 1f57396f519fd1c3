"""What is said in a terminal, and what is left out where there is none."""

import os
import subprocess
import sys

from ..trees import ROOT

BAR = """
from dojo.system.console import progress_bar
with progress_bar("a bar", transient=True) as bar:
    bar.add_task("")
print("done")
"""


def test_a_pipe_gets_no_progress_bar_also_where_colours_are_forced():
    environment = os.environ | {"FORCE_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", BAR], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
