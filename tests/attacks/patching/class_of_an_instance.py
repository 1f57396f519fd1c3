# What it does: finds the class of an example and patches that.
# Expected: refused: changes Tensor

def masked_softmax(scores, mask):
    type(scores).softmax = lambda self, *_: self
    return scores

def causal_mask(tokens):
    import torch
    type(torch.zeros(1)).logical_not = lambda self: self
    return torch.zeros(tokens, tokens)
