"""The katas on disk: the catalog and the stubs."""
