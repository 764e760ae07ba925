"""The door for files of any size: ``flask --app wsgi classify``."""

from iris_app.bulk.command import bp

__all__ = ["bp"]
