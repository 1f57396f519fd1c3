"""From a request to a verdict."""
