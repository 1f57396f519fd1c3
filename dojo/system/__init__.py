"""Files, processes, git and downloads: what knows nothing of katas."""
