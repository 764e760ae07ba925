"""What production serves: ``gunicorn wsgi:app``."""

from iris_app import create_app

app = create_app()
