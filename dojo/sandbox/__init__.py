"""Loading and running code that is not ours."""
