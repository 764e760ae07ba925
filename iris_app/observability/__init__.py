"""Request records, logs, metrics and drift."""
