"""The names and types of every setting: ours from ``config.py``, then those of Flask and of its extensions."""

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from flask import Flask
from msgspec import Meta

from iris_app.settings import defaults

Text = Annotated[str, Meta(min_length=1)]
Path = Annotated[str, Meta(pattern="^/", examples=["/app"])]
Host = Annotated[str, Meta(pattern=r"^[^\s/@]+$", examples=["app.example.org"])]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[int, Meta(ge=0, le=100 * 365 * 24 * 60 * 60)] | timedelta
Algorithms = Annotated[list[Literal["zstd", "br", "gzip", "deflate"]], Meta(min_length=1)]

# The settings of Flask whose default does not show their type: https://flask.palletsprojects.com/config/
FLASK: dict[str, Any] = {
    "DEBUG": bool,
    "PROPAGATE_EXCEPTIONS": bool | None,
    "TRAP_BAD_REQUEST_ERRORS": bool | None,
    "TEMPLATES_AUTO_RELOAD": bool | None,
    "SEND_FILE_MAX_AGE_DEFAULT": Seconds | None,
    "SERVER_NAME": Host | None,
    "APPLICATION_ROOT": Path,
    "SESSION_COOKIE_DOMAIN": Host | None,
    "SESSION_COOKIE_PATH": Path | None,
}

# The type of Flask's other settings, by the type of their default.
TYPES: dict[type, Any] = {bool: bool, int: Count, str: Text, timedelta: Seconds}

EXTENSIONS: dict[str, Any] = {
    # Flask-WTF: https://flask-wtf.readthedocs.io/en/latest/config/
    "WTF_CSRF_ENABLED": bool,
    "WTF_CSRF_CHECK_DEFAULT": bool,
    "WTF_CSRF_SECRET_KEY": Annotated[str, Meta(min_length=32)],
    "WTF_CSRF_METHODS": list[Text],
    "WTF_CSRF_FIELD_NAME": Text,
    "WTF_CSRF_HEADERS": list[Text],
    "WTF_CSRF_META_NAME": Text,
    "WTF_CSRF_SSL_STRICT": bool,
    "WTF_I18N_ENABLED": bool,
    "RECAPTCHA_ENABLED": bool,
    "RECAPTCHA_PUBLIC_KEY": Text,
    "RECAPTCHA_PRIVATE_KEY": Text,
    "RECAPTCHA_VERIFY_SERVER": Text,
    "RECAPTCHA_SCRIPT": Text,
    "RECAPTCHA_PARAMETERS": dict[str, Any],
    "RECAPTCHA_HTML": Text,
    "RECAPTCHA_DIV_CLASS": Text,
    "RECAPTCHA_DATA_ATTRS": dict[str, Any],
    # Flask-Compress: https://pypi.org/project/Flask-Compress/
    "COMPRESS_LEVEL": Annotated[int, Meta(ge=0, le=9)],
    "COMPRESS_BR_LEVEL": Annotated[int, Meta(ge=0, le=11)],
    "COMPRESS_BR_MODE": Annotated[int, Meta(ge=0, le=2)],
    "COMPRESS_BR_WINDOW": Annotated[int, Meta(ge=10, le=24)],
    "COMPRESS_BR_BLOCK": Literal[0, 16, 17, 18, 19, 20, 21, 22, 23, 24],
    "COMPRESS_ZSTD_LEVEL": Annotated[int, Meta(ge=1, le=22)],
    "COMPRESS_DEFLATE_LEVEL": Annotated[int, Meta(ge=-1, le=9)],
    "COMPRESS_CACHE_KEY": Callable | None,
    "COMPRESS_CACHE_BACKEND": Callable | None,
    "COMPRESS_REGISTER": bool,
    "COMPRESS_STREAMS": bool,
    "COMPRESS_EVALUATE_CONDITIONAL_REQUEST": bool,
    "COMPRESS_STREAMING_ENDPOINT_CONDITIONAL": list[Text],
    # Bootstrap-Flask: https://bootstrap-flask.readthedocs.io/en/stable/basic/#configurations
    "BOOTSTRAP_BTN_STYLE": Text,
    "BOOTSTRAP_BTN_SIZE": Text,
    "BOOTSTRAP_BOOTSWATCH_THEME": Text | None,
    "BOOTSTRAP_ICON_SIZE": Text,
    "BOOTSTRAP_ICON_COLOR": Text | None,
    "BOOTSTRAP_ICON_USE_FONT": bool,
    "BOOTSTRAP_MSG_CATEGORY": Text,
    "BOOTSTRAP_TABLE_VIEW_TITLE": Text,
    "BOOTSTRAP_TABLE_EDIT_TITLE": Text,
    "BOOTSTRAP_TABLE_DELETE_TITLE": Text,
    "BOOTSTRAP_TABLE_NEW_TITLE": Text,
    "BOOTSTRAP_FORM_GROUP_CLASSES": str,
    "BOOTSTRAP_FORM_INLINE_CLASSES": str,
}

# Names of settings whose values no message may hold.
SECRETS = re.compile("SECRET|TOKEN|KEY|PASSWORD", re.IGNORECASE)

# Of longer names, messages repeat the beginning, and only that is compared with the known names.
MAX_NAME_LENGTH = 64


@cache
def known_types() -> Mapping[str, Any]:
    """Return the type of every setting, by its name; the types in ``config.py`` win."""
    return _flask_types() | EXTENSIONS | get_type_hints(defaults, include_extras=True)


def nearest_name(name: str) -> str | None:
    """Return the known name that is most like a name that is not known."""
    matches = difflib.get_close_matches(name[:MAX_NAME_LENGTH].upper(), known_types(), n=1)
    return matches[0] if matches else None


def _flask_types() -> dict[str, Any]:
    """Return the types of Flask's settings; a setting that a newer Flask adds without a default may be anything."""
    return {name: TYPES.get(type(default), Any) for name, default in Flask.default_config.items()} | FLASK
