"""The configuration of gunicorn for the baselines: one worker, else as for the application."""

import runpy
from pathlib import Path

_ours = runpy.run_path(str(Path(__file__).parents[3] / "gunicorn.conf.py"))

workers = 1
worker_class = "gthread"
threads = _ours["threads"]
keepalive = _ours["keepalive"]
timeout = _ours["timeout"]
worker_tmp_dir = _ours["worker_tmp_dir"]
http_parser = _ours["http_parser"]
control_socket_disable = _ours["control_socket_disable"]
