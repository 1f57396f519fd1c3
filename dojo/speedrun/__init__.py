"""The race to a validation loss: its rules, the restricted process, the referee, the leaderboard."""
