"""The WSGI entry point: ``gunicorn wsgi:app``."""

from iris_app import create_app
from iris_app.exceptions import ConfigurationError

try:
    app = create_app()
except ConfigurationError as error:
    raise SystemExit(f"iris_app cannot start: {error}") from None
