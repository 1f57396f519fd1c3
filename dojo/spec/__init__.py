"""The words in which authors state a kata."""
