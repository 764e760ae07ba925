"""The application without metrics, logs and headers, for gunicorn."""

from benchmarks.production import recording_disabled, without_recording

app = without_recording()

disabled = recording_disabled()
disabled.__enter__()
