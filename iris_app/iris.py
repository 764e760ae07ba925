"""The schema of the example: Fisher's irises.

No other module but the training names a feature, a class or a unit of the example.
"""

from iris_app.schema import About, Class, Feature, Schema


def _feature(name: str, form_name: str, label: str, help_: str, less: str, more: str, example: float) -> Feature:
    return Feature(
        name=name,
        form_name=form_name,
        label=label,
        unit="cm",
        help=help_,
        above=0.0,
        at_most=30.0,
        example=example,
        less=less,
        more=more,
    )


def _class(value: int, name: str, *typical: float) -> Class:
    return Class(
        name=name,
        label=name.capitalize(),
        value=value,
        typical=typical,
        spellings=(f"Iris-{name}", f"Iris {name}", f"I. {name}"),
    )


SCHEMA = Schema(
    name="iris",
    features=(
        _feature(
            "sepal_length",
            "slen",
            "Sepal length",
            "Take one of the three sepals, the leaves of the flower that hang down. From its base to its tip.",
            "short",
            "long",
            5.1,
        ),
        _feature(
            "sepal_width", "swid", "Sepal width", "The same sepal, across where it is widest.", "narrow", "wide", 3.5
        ),
        _feature(
            "petal_length",
            "plen",
            "Petal length",
            "Take one of the three petals, the leaves that stand upright. From its base to its tip.",
            "short",
            "long",
            1.4,
        ),
        _feature(
            "petal_width", "pwid", "Petal width", "The same petal, across where it is widest.", "narrow", "wide", 0.2
        ),
    ),
    classes=(
        _class(0, "setosa", 5.0, 3.4, 1.5, 0.2),
        _class(1, "versicolor", 5.9, 2.8, 4.3, 1.3),
        _class(2, "virginica", 6.5, 3.0, 5.6, 2.0),
    ),
    target="species",
    targets="species",
    noun="flower",
    nouns="flowers",
    target_columns=("species", "class", "variety", "target", "label"),
    title="Which iris?",
    heading="Which iris is it?",
    lead="Measure four lengths of the flower, and learn which species it most likely is.",
    description="Measure an iris and learn its species, how sure the answer is, and what speaks against it.",
    sample_name="irises",
    panels=(("Sepals", 0, 1), ("Petals", 2, 3)),
    drawing="iris",
    public_rows=True,
    about=About(
        model="A multinomial logistic regression over measurements that are scaled to zero mean and unit variance: "
        "each species gets a weighted sum of the four, and the sums become probabilities by a softmax.",
        data="Three quarters of the 150 flowers that Edgar Anderson measured and R. A. Fisher published in 1936, fifty "
        "of each species; a quarter was held out to see how good the model is.",
        limits="Anything that matters. It knows three species, and takes whatever it is shown for one of them; it "
        "learnt from few flowers of one time; and it does not replace a botanist with a key.",
    ),
)
