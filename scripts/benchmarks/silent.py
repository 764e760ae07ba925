"""Ours, with nothing told of any request, for gunicorn to serve."""

from benchmarks.production import nothing_told, without_telling

app = without_telling()

silence = nothing_told()
silence.__enter__()
