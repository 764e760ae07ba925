"""The explanation of predictions, in log-odds and in a sentence."""
