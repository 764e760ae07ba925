"""Rows from and to CSV, JSON and NDJSON."""
