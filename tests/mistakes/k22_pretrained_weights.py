"""k22: what people get wrong about pretrained weights."""

MISTAKES = []
