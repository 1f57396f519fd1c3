# What it does: leaves a hook that sees what the reference computes.
# Expected: refused: the hooks of all modules

from torch.nn.modules.module import register_module_forward_hook

seen = []
register_module_forward_hook(lambda module, inputs, output: seen.append(output))
