"""What can be said of a wrong answer that nobody has named."""
