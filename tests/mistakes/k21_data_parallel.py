"""k21: what people get wrong about data parallelism."""

MISTAKES = []
