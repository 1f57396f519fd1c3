"""The verbs, a file a group of them."""
