"""Every setting of iris_app with its default: a constant a line, with its type.

Change a value in instance/config.py (NAME = value) or in the environment (IRIS_NAME=value, which wins), not here.
In the environment, text stands as it is and everything else is written as JSON: IRIS_MAX_BATCH_ROWS=500,
IRIS_SESSION_COOKIE_SECURE=true.

The settings of Flask, Flask-WTF, Flask-Compress and Bootstrap-Flask that are not on this page can be set in the same
ways under their own names: SERVER_NAME, WTF_CSRF_ENABLED, COMPRESS_LEVEL. A length of time is a number of seconds.
A name that is neither theirs nor on this page, or a value that is not allowed, stops the start; all of them are named.
"""

from typing import Annotated, Literal

from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Limit = Annotated[int, Meta(ge=1)]
Route = Annotated[str, Meta(pattern="^/[^<>]*$", examples=["/predict"])]
Name = Annotated[str, Meta(pattern=r"^[\w-]+$", examples=["iris-2"])]
Origin = Annotated[str, Meta(pattern=r"^(\*|https?://[^\s/]+)$", examples=["https://app.example.org"])]
Secret = Annotated[str, Meta(min_length=32)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", examples=["0123456789abcdef" * 4])]

# Signs the session cookie and the form's token. Whoever deploys sets it, the same for every worker and never in
# version control; scripts/setup writes a random one to instance/config.py. Without it the app refuses to start.
SECRET_KEY: Secret | None = None

# Secrets that were used before: cookies that they signed are still read. Whoever changes SECRET_KEY puts the old here
# for as long as forms are open, and then takes it away.
SECRET_KEY_FALLBACKS: list[Secret] = []

# Who may use the doors for programs: a name for each key, and the key's sha256. Where there are none, everyone may.
# Whoever lets known programs in only sets it; scripts/make_api_key makes a key. The pages and the probes stay open.
API_KEYS: dict[Name, Sha256] = {}

# What Prometheus must bring to read /metrics, as Authorization: Bearer. Whoever lets others reach the app sets it.
METRICS_TOKEN: Secret | None = None

# The names by which the app is asked for, as Host says them (".example.org" for all below it); None for any. Whoever
# serves strangers sets it. Probes that ask by address need theirs here too.
TRUSTED_HOSTS: list[str] | None = None

# The origins whose pages may ask the doors for programs from a browser, such as "https://app.example.org"; "*" for all.
CORS_ORIGINS: list[Origin] = []

# Seconds for which browsers shall come by HTTPS only, once they came by it; 0 for no such word. Whoever serves over
# HTTPS for good sets a year, 31536000.
HSTS_SECONDS: Count = 0

# Requests that one worker may have in hand; of more, each gets a 503 at once. A quarter of gunicorn's threads is kept
# free for probes and for refusals, so it is never more than three quarters of --threads.
MAX_CONCURRENT_REQUESTS: Limit = 24

# Bytes of bodies, inflated, that the requests in hand of one worker may have together, or MAX_CONTENT_LENGTH where that
# is more; a request beyond waits for five seconds and then gets a 503. A worker takes up to eight times as much memory.
MAX_CONCURRENT_BYTES: Limit = 16 * 1024 * 1024

# Where the trained model lies; a relative path is under instance/. Its manifest lies beside it, with .json added.
# Whoever keeps models outside the checkout changes it.
MODEL_PATH: Annotated[str, Meta(min_length=1)] = "model.joblib"

# The only digest that the model may have, in hexadecimal: it covers the artifact and the schema, and /api/model and
# scripts/package_model show it. Whoever wants no other model, however it came, sets it.
MODEL_SHA256: Sha256 | None = None

# Seconds within which gunicorn's workers take a model that is published over the old one.
MODEL_CHECK_SECONDS: Annotated[float, Meta(ge=0.1, le=24 * 60 * 60)] = 2.0

# Whether a model that is published may replace another that takes other rows, or names its answer otherwise. If not,
# the old one goes on until the next start. Whoever serves clients that follow the schema sets it.
MODEL_ALLOW_SCHEMA_CHANGE: bool = False

# Registry of the model that scripts/train_model.py --publish keeps under instance/models, for scripts/rollback.
KEEP_MODELS: Limit = 5

# What the model is called where platforms ask for it by name, under /v2/models; None for the name in its schema.
MODEL_NAME: Name | None = None

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

# Parts of a form: ours has one for each value that the model takes, and three more.
MAX_FORM_PARTS: Limit = 1000

# Seconds after which a client should try again when no model can be loaded or too many ask (Retry-After of a 503).
RETRY_AFTER_SECONDS: Count = 5

# Seconds for which a form that was opened may be sent; null in the environment, or None, for as long as the session.
WTF_CSRF_TIME_LIMIT: Limit | None = 4 * 60 * 60

# Seconds of requests that /metrics compares with the training, to tell how far they drifted from it.
DRIFT_WINDOW_SECONDS: Limit = 60 * 60

# The session cookie, which holds the form's token and nothing else. It is Secure wherever the request came by HTTPS;
# True makes it so elsewhere too.
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

# The same for answers that are sent as they are made, and for static files.
COMPRESS_ALGORITHM_STREAMING: Annotated[list[Literal["zstd", "br", "gzip", "deflate"]], Meta(min_length=1)] = [
    "zstd",
    "br",
    "gzip",
    "deflate",
]

# From how many bytes on compressing pays.
COMPRESS_MIN_SIZE: Limit = 1000

# How answers are compressed, the best way first.
COMPRESS_ALGORITHM: Annotated[list[Literal["zstd", "br", "gzip", "deflate"]], Meta(min_length=1)] = [
    "zstd",
    "br",
    "gzip",
    "deflate",
]

# How many proxies stand in front (nginx, a load balancer) and set X-Forwarded-For, -Proto and -Host. Their word is
# taken for the client's address and scheme, so count exactly those that you run.
PROXY_COUNT: Count = 0

# Bootstrap from this server: the content security policy blocks every other. Nobody changes it.
BOOTSTRAP_SERVE_LOCAL: bool = True

# True in the test suite only.
TESTING: bool = False
