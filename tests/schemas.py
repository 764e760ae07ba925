"""Schemas of models that tests make up: every kind of feature, and names that are met in practice."""

from iris_app.schema import Class, Feature, Kind, Schema, Value


def _typical(age: int, change: float) -> tuple[Value, ...]:
    return (age, 23.5, change, False, True, "female", "sur", 10, "001")


MIXED = Schema(
    name="visits",
    features=(
        Feature(
            name="age",
            form_name="age",
            label="Age",
            kind="integer",
            unit="years",
            at_least=0.0,
            at_most=120.0,
            example=41,
        ),
        Feature(name="bmi", form_name="bmi", label="BMI", unit="kg/m²", above=0.0, optional=True, example=23),
        Feature(
            name="temperature change",
            form_name="temperature_change",
            label="Temperature change",
            unit="K",
            at_least=-40.0,
            at_most=40.0,
            example=-0.5,
        ),
        Feature(name="smoker", form_name="smoker", label="Smoker", kind="boolean", example=False),
        Feature(
            name="vaccinated", form_name="vaccinated", label="Vaccinated", kind="boolean", optional=True, example=True
        ),
        Feature(
            name="sex",
            form_name="sex",
            label="Sex",
            kind="category",
            categories=("female", "male"),
            optional=True,
            example="female",
        ),
        Feature(
            name="región",
            form_name="region",
            label="Región",
            kind="category",
            categories=("norte", "sur", "este: costa", "oeste"),
            allow_unknown=True,
            example="norte",
        ),
        Feature(
            name="ward",
            form_name="ward",
            label="Ward",
            kind="category",
            categories=(1, 2, 10),
            example=2,
        ),
        Feature(
            name="zip",
            form_name="zip",
            label="Zip",
            kind="category",
            categories=("001", "010", "100"),
            optional=True,
            allow_unknown=True,
            example="001",
        ),
    ),
    classes=(
        Class(name="no_fraud", label="No fraud", value="no_fraud", typical=_typical(41, -0.5)),
        Class(name="fraud", label="Fraud", value="fraud", typical=_typical(63, 1.5)),
    ),
    target="outcome",
    targets="outcomes",
    noun="visit",
    nouns="visits",
    target_columns=("outcome", "class", "target", "label"),
    title="Is it fraud?",
    heading="Is this visit a fraud?",
    sample_name="visits",
)

# Rows of it as clients send them, and as they are encoded.
MIXED_ROW: dict[str, Value] = {feature.name: feature.example for feature in MIXED.features}
MIXED_CODES = [41.0, 23.0, -0.5, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]


def plain(*names: str, kind: Kind = "number", classes: tuple[str, ...] = ("no", "yes")) -> Schema:
    """Make a schema of required features without bounds and units."""
    return Schema(
        name="plain",
        features=tuple(
            Feature(name=name, form_name=f"f{index}", label=name, kind=kind, example=1)
            for index, name in enumerate(names)
        ),
        classes=tuple(Class(name=name, label=name, value=name) for name in classes),
    )


# Names that need care: of Python, of this application, of measurements, and of other alphabets.
NAMES = plain(
    "class",
    "x1",
    "pm25",
    "bill_length_mm",
    "total (mg/l)",
    "größe: maß",
    "a,b;c",
    "csrf_token",
    "warnings",
    "explain",
    "measurement",
    "model",
    "f0",
    "1st",
    "{[",
)

ONE = plain("x")
WIDE = plain(*(f"x{index}" for index in range(200)))
MANY_CLASSES = plain("x", "y", classes=tuple(f"class {index}" for index in range(30)))
