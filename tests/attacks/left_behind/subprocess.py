# What it does: starts a program that stays.
# Expected: refused: importing `subprocess`

import subprocess

subprocess.Popen(["sleep", "1000"])
