"""The bounds on the benchmark's measures."""

from collections.abc import Mapping
from dataclasses import dataclass

MEGABYTE = 1e6


@dataclass(frozen=True)
class Bound:
    """An upper or lower bound on a measure, and an aim beyond it."""

    measure: str
    limit: float
    at_least: bool = False
    aim: float | None = None
    unit: str = "×"

    def holds(self, value: float) -> bool:
        """Check whether a value is within the bound."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        aim = f" (aim: {self.aim:.2f} {self.unit})" if self.aim else ""
        return f"at {'least' if self.at_least else 'most'} {self.limit:.2f} {self.unit}{aim}"


BOUNDS = {
    "hello": Bound("`/api/classify`, one row, in process: CPU time against a bare Flask hello", 2.5, aim=2.0),
    "floor": Bound("over HTTP, requests per second against the WSGI floor", 0.5, at_least=True, aim=0.6),
    "naive": Bound("over HTTP, requests per second against the naive Flask view", 1.8, at_least=True),
    "fastapi": Bound("over HTTP, requests per second against FastAPI", 2.0, at_least=True),
    "mlserver": Bound("over HTTP, requests per second against MLServer", 2.5, at_least=True),
    "mlflow": Bound("over HTTP, requests per second against MLflow", 4.0, at_least=True),
    "bentoml": Bound("over HTTP, requests per second against BentoML", 4.0, at_least=True),
    "mlserver_json": Bound("10,000 rows of JSON, requests per second against MLServer", 1.3, at_least=True),
    "mlflow_csv": Bound("10,000 rows of CSV, requests per second against MLflow", 1.3, at_least=True),
    "linear_naive": Bound("mixed linear model, one row, against the naive Flask view", 10.0, at_least=True, aim=20.0),
    "linear_fastapi": Bound("mixed linear model, one row, against FastAPI", 10.0, at_least=True, aim=20.0),
    "linear_mlserver": Bound("mixed linear model, one row, against MLServer", 10.0, at_least=True, aim=20.0),
    "forest_naive": Bound("forest of 100 trees, one row, against the naive Flask view", 10.0, at_least=True, aim=20.0),
    "boosting_naive": Bound("boosting of 100 iterations, one row, against that view", 5.0, at_least=True, aim=10.0),
    "linear_example": Bound("mixed linear model, one row, against our example", 0.8, at_least=True),
    "forest_example": Bound("forest of 100 trees, one row, against our example", 0.4, at_least=True),
    "boosting_example": Bound("boosting of 100 iterations, one row, against our example", 0.4, at_least=True),
    "p99": Bound("p99 at four connections against the floor's", 2.5),
    "json_10000": Bound("10,000 rows of JSON, in process, against msgspec decoding and encoding alone", 1.8),
    "json_100000": Bound("100,000 rows of JSON, in process, against msgspec decoding and encoding alone", 3.0),
    "binary_10000": Bound("10,000 rows as binary tensors through `/v2`, in process, against NumPy alone", 3.0),
    "worker": Bound("PSS added by each further worker after 1,000 requests each", 25.0, unit="MB"),
    "worker_500": Bound("the same with a forest of 500 trees", 30.0, unit="MB"),
    "start": Bound("start of `gunicorn wsgi:app` to the first 200 of `/readyz`, against importing scikit-learn", 2.0),
    "rows": Bound("CPU per row as rows grow from 1 to 100,000 falls, then is flat: the steepest step upwards", 1.1),
    "files_csv": Bound(
        "10,000,000 rows of CSV, rows per second against polars without classifying", 0.45, at_least=True, aim=0.6
    ),
    "files_parquet": Bound(
        "10,000,000 rows of Parquet, rows per second against polars without classifying", 0.3, at_least=True, aim=0.4
    ),
    "files_pandas": Bound("1,000,000 rows of CSV, rows per second against pandas", 8.0, at_least=True),
    "files_memory": Bound("the most memory for 10,000,000 rows, of CSV or of Parquet", 1500.0, unit="MB"),
    "files_flat": Bound("memory for 10,000,000 rows against 1,000,000, of CSV or of Parquet", 1.2),
    "observability": Bound("over HTTP, CPU per request with metrics, logs and headers against without", 1.25),
}


def broken(values: Mapping[str, float]) -> list[str]:
    """Return the names of the measures that are out of their bounds."""
    return [name for name, value in values.items() if not BOUNDS[name].holds(value)]


def rows_of(values: Mapping[str, float]) -> list[list[str]]:
    """Return a row of the table for each bound, measured or not."""
    return [[bound.measure, *_measured(bound, values.get(name))] for name, bound in BOUNDS.items()]


def _measured(bound: Bound, value: float | None) -> list[str]:
    if value is None:
        return ["not measured", str(bound), ""]
    return [f"{value:.2f} {bound.unit}", str(bound), "yes" if bound.holds(value) else "no"]
