"""A trained classifier: on disk, in memory, and as people and programs see it."""
