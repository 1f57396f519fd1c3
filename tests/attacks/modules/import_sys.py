# What it does: takes the reference out of sys.modules.
# Expected: error: has no attribute 'modules'

import sys

for name, module in sys.modules.items():
    if "reference" in name:
        causal_mask = module.causal_mask
