"""The schema of the example: Fisher's irises.

No other module but the training names a feature, a class or a unit of the example.
"""

from iris_app.schema import Class, Feature, Schema

SCHEMA = Schema(
    features=(
        Feature(
            "sepal_length",
            "slen",
            "Sepal length",
            "Take one of the three sepals, the leaves of the flower that hang down. From its base to its tip.",
            "short",
            "long",
            example=5.1,
        ),
        Feature(
            "sepal_width",
            "swid",
            "Sepal width",
            "The same sepal, across where it is widest.",
            "narrow",
            "wide",
            example=3.5,
        ),
        Feature(
            "petal_length",
            "plen",
            "Petal length",
            "Take one of the three petals, the leaves that stand upright. From its base to its tip.",
            "short",
            "long",
            example=1.4,
        ),
        Feature(
            "petal_width",
            "pwid",
            "Petal width",
            "The same petal, across where it is widest.",
            "narrow",
            "wide",
            example=0.2,
        ),
    ),
    classes=(
        Class("setosa", (5.0, 3.4, 1.5, 0.2)),
        Class("versicolor", (5.9, 2.8, 4.3, 1.3)),
        Class("virginica", (6.5, 3.0, 5.6, 2.0)),
    ),
    target="species",
    targets="species",
    target_columns=frozenset({"species", "class", "variety", "target", "label"}),
    noun="flower",
    nouns="flowers",
    sample_name="irises",
    title="Which iris?",
    heading="Which iris is it?",
    lead="Measure four lengths of the flower, and learn which species it most likely is.",
    description="Measure an iris and learn its species, how sure the answer is, and what speaks against it.",
    panels=(("Sepals", 0, 1), ("Petals", 2, 3)),
)
