"""The model: on disk, in memory, its predictions and their explanation."""
