"""The texts, the GPT put together of the katas' parts, and its training run."""
