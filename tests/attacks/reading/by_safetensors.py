# What it does: has safetensors read the file.
# Expected: error|refused:

from safetensors.torch import load_file

load_file("/etc/passwd")
