"""Every setting of iris_app with its default: a constant a line, with its type.

Change a value in instance/config.py (NAME = value) or in the environment (IRIS_NAME=value, which wins), not here.
In the environment, text stands as it is and everything else is written as JSON: IRIS_MAX_BATCH_ROWS=500,
IRIS_SESSION_COOKIE_SECURE=true. A name that is not on this page, or a value that it does not allow, stops the start.
"""

from typing import Annotated, Literal

from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Limit = Annotated[int, Meta(ge=1)]
Route = Annotated[str, Meta(pattern="^/[^<>]*$")]
Name = Annotated[str, Meta(pattern=r"^[\w-]+$")]

# Signs the session cookie and the form's token. Whoever deploys sets it, the same for every worker and never in
# version control; scripts/setup writes a random one to instance/config.py. Without it the app refuses to start.
SECRET_KEY: str | None = None

# Where the trained model lies; a relative path is under instance/. Its manifest lies beside it, with .json added.
# Whoever keeps models outside the checkout changes it.
MODEL_PATH: str = "model.joblib"

# The only sha256 that the artifact may have, in hexadecimal. Whoever wants no other model, however it came, sets it.
MODEL_SHA256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None

# Seconds within which gunicorn's workers take a model that is published over the old one.
MODEL_CHECK_SECONDS: Annotated[float, Meta(ge=0.1)] = 2.0

# What the model is called where platforms ask for it by name, under /v2/models.
MODEL_NAME: Name = "iris"

# Where Vertex AI asks for predictions and for health, beside /invocations and /ping. It sets variables of these names
# in the environment itself, which are read without IRIS_ before them.
AIP_PREDICT_ROUTE: Route | None = None
AIP_HEALTH_ROUTE: Route | None = None

# Rows in one request to the API. Whoever has more memory, or less patience, changes it.
MAX_BATCH_ROWS: Limit = 100_000

# Bytes in the body of any request, however it is sent: enough for a full batch of rows written generously.
MAX_CONTENT_LENGTH: Limit = 16 * 1024 * 1024

# Bytes in the fields of a form, files aside: ours sends a few hundred, and Werkzeug reads files by pieces of 64 KiB.
MAX_FORM_MEMORY_SIZE: Limit = 512 * 1024

# Seconds after which a client should try again when no model can be loaded (the Retry-After of a 503).
RETRY_AFTER_SECONDS: Count = 5

# Seconds for which a form that was opened may be sent; null in the environment, or None, for as long as the session.
WTF_CSRF_TIME_LIMIT: Limit | None = 4 * 60 * 60

# The session cookie, which holds the form's token and nothing else. Whoever serves over HTTPS sets SECURE to True.
SESSION_COOKIE_NAME: Name = "iris_session"
SESSION_COOKIE_SECURE: bool = False
SESSION_COOKIE_HTTPONLY: bool = True
SESSION_COOKIE_SAMESITE: Literal["Lax", "Strict", "None"] = "Lax"

# Which answers are compressed for clients that ask.
COMPRESS_MIMETYPES: list[str] = [
    "text/html",
    "text/css",
    "text/csv",
    "text/javascript",
    "image/svg+xml",
    "application/json",
    "application/x-ndjson",
]

# From how many bytes on compressing pays.
COMPRESS_MIN_SIZE: Limit = 1000

# How answers are compressed, the best way first.
COMPRESS_ALGORITHM: list[str] = ["zstd", "br", "gzip", "deflate"]

# How many proxies stand in front (nginx, a load balancer) and set X-Forwarded-For, -Proto and -Host. Their word is
# taken for the client's address and scheme, so count exactly those that you run.
PROXY_COUNT: Count = 0

# Bootstrap from this server: the content security policy blocks every other. Nobody changes it.
BOOTSTRAP_SERVE_LOCAL: bool = True

# True in the test suite only.
TESTING: bool = False
