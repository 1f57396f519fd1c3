"""Submissions of others: read, run apart from everything that is not theirs, and graded."""
