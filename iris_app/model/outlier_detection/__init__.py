"""The detection of rows that are unlike those of the training."""
