"""The readers of files: a module for each format."""
