"""Rows of every kind of feature, read from JSON and from CSV alike."""

import csv
import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.codecs import csv_rows, orientations
from iris_app.codecs.csv_header import DELIMITERS, find_delimiter, read_header
from iris_app.codecs.json_rows import JsonRows
from iris_app.codecs.names import find_features
from iris_app.exceptions import InvalidValues, MalformedDocument, TooManyRows
from iris_app.json_types import JsonTypes, PredictionWarning
from iris_app.schema import MISSING, UNKNOWN, Feature, Floats, Schema
from tests.schemas import MANY_CLASSES, MIXED, MIXED_CODES, MIXED_ROW, NAMES, ONE, WIDE, plain

INDICES = {feature.name: index for index, feature in enumerate(MIXED.features)}
OPTIONAL = [feature.name for feature in MIXED.features if feature.optional]


def read_json(schema: Schema, row: object) -> Floats:
    array, is_single = orientations.read(schema, json.dumps(row).encode(), 1000)
    assert is_single == isinstance(row, dict)
    return array


def read_lines(schema: Schema, rows: list[Any]) -> Floats:
    return schema.derive(JsonRows).read_lines("\n".join(map(json.dumps, rows)).encode(), 1000)


def read_csv(schema: Schema, rows: list[dict[str, str]]) -> Floats:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return csv_rows.read(schema, text.getvalue().encode(), 1000).values


def cells(**changes: str) -> dict[str, str]:
    """Return the mixed row as cells, some of them changed."""
    encoded = MIXED.encode(MIXED_ROW.values())
    row = {feature.name: feature.format(code) for feature, code in zip(MIXED.features, encoded, strict=True)}
    return row | changes


def code_of(name: str, row: Floats) -> float:
    return float(row[0, INDICES[name]])


def errors(read: Callable[..., object], *arguments: object) -> list[str]:
    with pytest.raises(InvalidValues) as refused:
        read(*arguments)
    return [error.detail for error in refused.value.errors]


def test_every_kind_is_encoded() -> None:
    assert read_json(MIXED, MIXED_ROW).tolist() == [MIXED_CODES]
    assert read_json(MIXED, [MIXED_ROW] * 2).tolist() == [MIXED_CODES] * 2
    assert read_lines(MIXED, [MIXED_ROW] * 2).tolist() == [MIXED_CODES] * 2
    assert read_csv(MIXED, [cells()] * 2).tolist() == [MIXED_CODES] * 2


def test_an_empty_array_has_no_rows() -> None:
    for schema in (MIXED, ONE):
        assert read_json(schema, []).shape == (0, len(schema.features))
        assert read_lines(schema, []).shape == (0, len(schema.features))
        assert orientations.read(schema, b"[]", 1)[0].shape == (0, len(schema.features))
        assert schema.derive(JsonRows).check_rows([], 1).shape == (0, len(schema.features))


def test_lists_are_read_in_the_order_of_the_features() -> None:
    rows = MIXED.derive(JsonRows)
    lists = [list(MIXED_ROW.values())] * 2
    assert rows.check_rows(lists, 2).tolist() == [MIXED_CODES] * 2
    assert orientations.read(MIXED, json.dumps([*lists, MIXED_ROW]).encode(), 3)[0].tolist() == [MIXED_CODES] * 3
    with pytest.raises(TooManyRows):
        rows.check_rows(lists, 1)


def test_lists_of_categories_in_other_spellings_are_read() -> None:
    row = [*MIXED_ROW.values()]
    row[INDICES["ward"]] = 2.0
    assert MIXED.derive(JsonRows).check_rows([row], 1).tolist() == [MIXED_CODES]
    assert orientations.read(MIXED, json.dumps([row]).encode(), 1)[0].tolist() == [MIXED_CODES]


def test_a_list_with_a_text_in_place_of_a_number_is_pointed_at() -> None:
    row = list(MIXED_ROW.values())
    row[0] = "old"
    assert errors(MIXED.derive(JsonRows).check_rows, [row], 1) == ["Age must be a whole number in years, not text."]
    assert errors(orientations.read, MIXED, json.dumps([row, row[1:]]).encode(), 2) == [
        "Age must be a whole number in years, not text.",
        "A row is a list of 9 values: age, bmi, temperature change, smoker, vaccinated, sex, región, ward, zip.",
    ]


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_value_may_be_absent_or_null_where_the_model_answers_it(name: str) -> None:
    absent = {key: value for key, value in MIXED_ROW.items() if key != name}
    for row in (absent, MIXED_ROW | {name: None}):
        assert np.isnan(code_of(name, read_json(MIXED, row)))
        assert np.isnan(code_of(name, read_json(MIXED, [row, MIXED_ROW])))
        assert np.isnan(code_of(name, read_lines(MIXED, [row])))


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_nan_within_lists_is_a_missing_value(name: str) -> None:
    row = list((MIXED_ROW | {name: MISSING}).values())
    assert np.isnan(code_of(name, MIXED.derive(JsonRows).check_rows([row], 1)))


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("text", ["", "NA", "NaN", "nan", "null", " N/A ", "None", "<NA>"])
def test_one_rule_says_what_a_missing_cell_is(name: str, text: str) -> None:
    assert np.isnan(code_of(name, read_csv(MIXED, [cells(**{name: text})])))


@pytest.mark.parametrize("name", ["sex", "zip"])
@pytest.mark.parametrize("text", ["", "NA", "NaN", "null"])
def test_a_missing_category_is_read_from_json_as_from_csv(name: str, text: str) -> None:
    assert np.isnan(code_of(name, read_json(MIXED, MIXED_ROW | {name: text})))


def test_a_column_that_may_be_missing_may_be_absent() -> None:
    row = {name: cell for name, cell in cells().items() if name not in OPTIONAL}
    assert np.isnan(read_csv(MIXED, [row])[0, [INDICES[name] for name in OPTIONAL]]).all()
    assert find_features(MIXED, list(row))[INDICES["bmi"]] is None


def test_a_table_of_something_else_lacks_every_column() -> None:
    schema = Schema(
        name="optional",
        features=(Feature(name="x", form_name="x", label="X", optional=True),),
        classes=ONE.classes,
    )
    assert errors(find_features, schema, ["colour"]) == ["There is no column x; the columns are “colour”."]
    assert errors(find_features, schema, ["x ", "X"]) == ["The columns x  and X are each x; there must be one."]


@pytest.mark.parametrize("name", [name for name in MIXED_ROW if name not in OPTIONAL])
def test_a_missing_value_is_named_where_the_model_needs_it(name: str) -> None:
    label = MIXED.features_by_name[name].label
    absent = {key: value for key, value in MIXED_ROW.items() if key != name}
    assert errors(read_json, MIXED, absent) == [f"{label} is missing."]
    assert errors(read_csv, MIXED, [cells(**{name: "NA"})]) == [f"Line 2, column {name}: {label} is missing."]
    (error,) = errors(read_json, MIXED, MIXED_ROW | {name: None})
    assert error.endswith(", not null.")
    nan = list((MIXED_ROW | {name: MISSING}).values())
    assert len(errors(MIXED.derive(JsonRows).check_rows, [nan], 1)) == 1


@pytest.mark.parametrize("value", [41, 41.0, "41", " 41 ", "41.0", "41 years"])
def test_whole_numbers_are_integers(value: object) -> None:
    if not isinstance(value, str):
        assert code_of("age", read_json(MIXED, MIXED_ROW | {"age": value})) == 41
    assert code_of("age", read_csv(MIXED, [cells(age=str(value))])) == 41


def test_an_integer_refuses_fractions() -> None:
    sentence = "Age must be a whole number in years, not 41.5."
    assert errors(read_json, MIXED, MIXED_ROW | {"age": 41.5}) == [sentence]
    assert errors(read_csv, MIXED, [cells(age="41.5")]) == [f"Line 2, column age: {sentence}"]


@pytest.mark.parametrize("text", ["true", "TRUE", "yes", "Yes", "y", "1", "1.0", " t "])
def test_a_cell_says_yes_in_many_ways(text: str) -> None:
    assert code_of("smoker", read_csv(MIXED, [cells(smoker=text)])) == 1


@pytest.mark.parametrize("text", ["false", "FALSE", "no", "n", "0", "0.0", "F"])
def test_a_cell_says_no_in_many_ways(text: str) -> None:
    assert code_of("smoker", read_csv(MIXED, [cells(smoker=text)])) == 0


@pytest.mark.parametrize("value", [1, 0.0, "yes", "true", [], {}])
def test_a_boolean_is_true_or_false_in_json(value: object) -> None:
    (error,) = errors(read_json, MIXED, MIXED_ROW | {"smoker": value})
    assert error.startswith("Smoker must be true or false, not ")


def test_another_cell_is_no_boolean() -> None:
    assert errors(read_csv, MIXED, [cells(smoker="2")]) == [
        'Line 2, column smoker: Smoker must be true or false, not "2".'
    ]


@pytest.mark.parametrize("value", [10, 10.0, "10"])
def test_a_category_that_is_a_number_is_read_from_numbers_and_text(value: object) -> None:
    assert code_of("ward", read_json(MIXED, MIXED_ROW | {"ward": value})) == 2
    assert code_of("ward", read_json(MIXED, [MIXED_ROW | {"ward": value}] * 2)) == 2
    assert code_of("ward", read_lines(MIXED, [MIXED_ROW | {"ward": value}])) == 2
    assert code_of("ward", read_csv(MIXED, [cells(ward=str(value))])) == 2


def test_leading_zeros_are_kept() -> None:
    assert code_of("zip", read_json(MIXED, MIXED_ROW | {"zip": "010"})) == 1
    assert code_of("zip", read_json(MIXED, MIXED_ROW | {"zip": "10"})) == UNKNOWN
    assert code_of("zip", read_json(MIXED, MIXED_ROW | {"zip": 100})) == 2
    assert code_of("zip", read_csv(MIXED, [cells(zip="001")])) == 0
    assert code_of("zip", read_csv(MIXED, [cells(zip="1")])) == UNKNOWN
    table = csv_rows.table_of(MIXED, np.array([MIXED_CODES]))
    assert next(iter(table.rows))[INDICES["zip"]] == "001"


def test_an_unknown_category_lists_the_known_ones_and_the_nearest() -> None:
    sentence = 'Sex must be one of female or male, not "femal". Did you mean "female"?'
    assert errors(read_json, MIXED, MIXED_ROW | {"sex": "femal"}) == [sentence]
    assert errors(read_csv, MIXED, [cells(sex="femal")]) == [f"Line 2, column sex: {sentence}"]


@pytest.mark.parametrize("value", ["nordeste", "nord: este", 5, 5.5])
def test_an_unknown_category_is_read_as_such_where_the_schema_allows_it(value: object) -> None:
    assert code_of("región", read_json(MIXED, MIXED_ROW | {"región": value})) == UNKNOWN
    assert code_of("región", read_csv(MIXED, [cells(región=str(value))])) == UNKNOWN


@pytest.mark.parametrize("value", [True, [], {"a": 1}])
def test_a_category_is_a_text_or_a_number(value: object) -> None:
    assert len(errors(read_json, MIXED, MIXED_ROW | {"región": value})) == 1
    assert len(errors(read_json, MIXED, MIXED_ROW | {"ward": value})) == 1


@pytest.mark.parametrize("value", [-40, -0.5, 0, -0.0, 40])
def test_negative_numbers_and_zero_are_as_good_as_others(value: float) -> None:
    name = "temperature change"
    assert code_of(name, read_json(MIXED, MIXED_ROW | {name: value})) == value
    assert code_of(name, read_csv(MIXED, [cells(**{name: str(value)})])) == value
    assert read_json(ONE, {"x": value}).tolist() == [[value]]
    assert read_csv(ONE, [{"x": str(value)}]).tolist() == [[value]]


def test_only_what_is_beyond_all_numbers_is_out_of_bounds_without_bounds() -> None:
    assert read_json(ONE, {"x": -3.4e38}).tolist() == [[-3.4e38]]
    sentence = "x must be a number between -3.4e38 and 3.4e38, not"
    assert errors(orientations.read, ONE, b'{"x": 1e999}', 1) == [f"{sentence} a number that is too large."]
    # What trees cannot convert to float32.
    assert errors(read_json, ONE, {"x": 3.5e38}) == [f"{sentence} 3.5e+38."]
    assert errors(read_csv, ONE, [{"x": "-3.5e38"}]) == [f"Line 2, column x: {sentence} -3.5e+38."]


def test_every_wrong_value_of_every_kind_is_named_at_once() -> None:
    wrong = {"age": 4.5, "bmi": 0, "temperature change": -41, "smoker": 1, "sex": "x", "región": None, "ward": 3}
    found = errors(read_json, MIXED, [MIXED_ROW | wrong, MIXED_ROW, {}])
    assert len(found) == len(wrong) + len(MIXED_ROW) - len(OPTIONAL)
    texts = {
        "age": "4.5",
        "bmi": "0",
        "temperature change": "-41",
        "smoker": "2",
        "sex": "x",
        "región": "",
        "ward": "3",
    }
    assert len(errors(read_csv, MIXED, [cells(**texts), cells()])) == len(texts)


def test_errors_beyond_those_that_are_named_are_counted() -> None:
    rows = [MIXED_ROW | {"ward": 3, "bmi": None}, {"zip": "001", "ages": 1, "colour": 1}] * 100
    for read in (partial(orientations.read, MIXED), MIXED.derive(JsonRows).read_lines):
        text = json.dumps(rows) if isinstance(read, partial) else "\n".join(map(json.dumps, rows))
        with pytest.raises(InvalidValues) as refused:
            read(text.encode(), 1000)
        assert len(refused.value.errors) + refused.value.omitted == 100 * (1 + 5 + 1)


@pytest.mark.parametrize("name", [feature.name for feature in NAMES.features])
def test_any_name_is_found_in_json_and_in_a_header(name: str) -> None:
    row = {feature.name: float(index) for index, feature in enumerate(NAMES.features)}
    assert read_json(NAMES, row).tolist() == [list(row.values())]
    assert read_json(NAMES, [row] * 1000).tolist() == [list(row.values())] * 1000
    backwards = {key: str(row[key]) for key in reversed(row)}
    assert read_csv(NAMES, [backwards]).tolist() == [list(row.values())]
    lacking = {key: value for key, value in row.items() if key != name}
    assert errors(read_json, NAMES, lacking) == [f"{name} is missing."]
    assert errors(find_features, NAMES, list(lacking)) == [f"There is no column {name}."]


@pytest.mark.parametrize(("header", "name"), [("X1", "x1"), ("PM2.5", "pm25"), ("Bill length (mm)", "bill_length_mm")])
def test_digits_count_in_the_spelling_of_a_column(header: str, name: str) -> None:
    names = [header if feature.name == name else feature.name for feature in NAMES.features]
    assert None not in find_features(NAMES, names)


def test_a_unit_may_stand_behind_a_name() -> None:
    names = ["Age (years)", "bmi kg/m²", "Temperature change [K]", *list(MIXED_ROW)[3:]]
    assert find_features(MIXED, names) == list(range(9))


def test_names_that_differ_in_a_digit_are_columns_of_their_own() -> None:
    assert find_features(plain("x1", "x2", "x 1"), ["x2", "x1", "x 1"]) == [1, 0, 2]


def test_pointers_escape_the_names_of_features() -> None:
    with pytest.raises(InvalidValues) as refused:
        read_json(plain("a/b~c", "d"), {"a/b~c": "x", "d": 1})
    assert refused.value.errors[0].pointer == "/a~1b~0c"


@pytest.mark.parametrize("colon", [":", "\\u003a", "\\u003A"])
def test_a_repeated_name_is_found_beside_colons_in_values_and_names(colon: str) -> None:
    row = json.dumps(MIXED_ROW | {"región": "a:b"}).replace("a:b", f"a{colon}b")
    assert orientations.read(MIXED, row.encode(), 1)[0][0, INDICES["región"]] == UNKNOWN
    body = json.dumps({key: value for key, value in MIXED_ROW.items() if key != "bmi"} | {"región": "a:b"})
    for more in ('"age": 41', '"age": 42, "zip": "001"'):
        twice = f"{body[:-1]}, {more}}}".replace("a:b", f"a{colon}b")
        found = errors(orientations.read, MIXED, twice.encode(), 1)
        assert found[0] == "age is given more than once."
        assert errors(MIXED.derive(JsonRows).read_lines, twice.encode(), 1) == found
        assert errors(orientations.read, MIXED, f"[{twice}]".encode(), 1) == found
    names = json.dumps({feature.name: 1 for feature in NAMES.features}, ensure_ascii=False)
    escaped = names.replace("größe: maß", f"größe{colon} maß")
    assert orientations.read(NAMES, escaped.encode(), 1)[0].tolist() == [[1.0] * len(NAMES.features)]
    assert errors(orientations.read, NAMES, f'{escaped[:-1]}, "x1": 2}}'.encode(), 1) == ["x1 is given more than once."]


def test_half_a_surrogate_pair_is_an_unknown_category() -> None:
    body = json.dumps([MIXED_ROW | {"región": "\ud800"}] * 2).encode()
    assert orientations.read(MIXED, body, 2)[0][:, INDICES["región"]].tolist() == [UNKNOWN] * 2
    with pytest.raises(TooManyRows):
        orientations.read(MIXED, body, 1)
    assert errors(read_json, MIXED, [MIXED_ROW | {"sex": "\ud800"}]) == [
        'Sex must be one of female or male, not "\\ud800".'
    ]


def test_a_long_array_of_every_kind_is_read() -> None:
    assert read_json(MIXED, [MIXED_ROW] * 1000).tolist() == [MIXED_CODES] * 1000


def test_the_delimiter_of_a_text_is_the_one_that_names_the_most_features() -> None:
    for delimiter in DELIMITERS:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter).writerow([feature.name for feature in NAMES.features])
        assert find_delimiter(NAMES, text.getvalue().splitlines(keepends=True)) == delimiter


def test_an_example_that_is_a_whole_number_changes_no_value() -> None:
    schema = plain("x", "y")
    assert type(schema.features[0].example) is int
    assert read_json(schema, [{"x": 5.1, "y": 3.5}] * 2).tolist() == [[5.1, 3.5]] * 2


def test_a_model_of_one_feature_and_one_of_many_are_read() -> None:
    assert read_csv(ONE, [{"x": "1"}, {"x": "2"}]).tolist() == [[1], [2]]
    row = {feature.name: float(-index) for index, feature in enumerate(WIDE.features)}
    assert read_json(WIDE, [row] * 100).tolist() == [list(row.values())] * 100
    assert read_csv(WIDE, [{name: str(value) for name, value in row.items()}]).tolist() == [list(row.values())]
    (error,) = errors(orientations.read, WIDE, b"[[1]]", 1)
    assert error.endswith("x19 and 180 more.")


def test_a_row_with_the_wrong_number_of_cells_is_refused_where_anything_else_is_accepted() -> None:
    features = (
        Feature(
            name="a", form_name="a", label="A", kind="category", categories=("x",), allow_unknown=True, optional=True
        ),
        Feature(name="b", form_name="b", label="B", optional=True),
    )
    schema = Schema(name="lax", features=features, classes=ONE.classes)
    assert errors(csv_rows.read, schema, b"a,b\nx,1\nx\n", 10) == ["Line 3 has 1 cells where the header has 2."]
    table = csv_rows.read(schema, b"a,b\nx,1\nx\ny,\n", 10, skip_bad_rows=True)
    assert table.values[:, 0].tolist() == [0, UNKNOWN]
    assert table.skipped is not None


def test_a_comma_in_a_category_is_no_decimal_comma() -> None:
    schema = Schema(
        name="names",
        features=(
            Feature(name="who", form_name="who", label="Who", kind="category", categories=("Doe, Jo", "Roe, Al")),
            Feature(name="x", form_name="x", label="X"),
        ),
        classes=ONE.classes,
    )
    table = csv_rows.read(schema, b"who;x\nDoe, Jo;1.5\n", 1)
    assert (table.values.tolist(), table.decimal_comma) == ([[0, 1.5]], False)


def test_the_first_line_of_scikit_learn_s_own_files_names_the_columns() -> None:
    header = read_header(MANY_CLASSES, [(1, ["150", "2", *MANY_CLASSES.class_names]), (2, ["1", "2", "0"])], None)
    assert header == (["x", "y", "target"], 1, 1, "")
    with pytest.raises(InvalidValues):
        read_header(MANY_CLASSES, [(1, ["x1", "2", *MANY_CLASSES.class_names])], None)


def test_the_columns_of_answers_have_names_of_their_own() -> None:
    schema = Schema(name="w", features=ONE.features, classes=ONE.classes, target="warnings")
    assert csv_rows.answer_columns(schema, ["x", "warnings"]) == [
        "predicted_warnings",
        "probability_no",
        "probability_yes",
        "predicted_predicted_warnings",
    ]
    assert csv_rows.answer_columns(MIXED, []) == ["outcome", "probability_no_fraud", "probability_fraud", "warnings"]


def test_answers_are_written_beside_rows_of_every_kind() -> None:
    types = MIXED.derive(JsonTypes)
    warning = PredictionWarning("unknown_category", "It is unknown.", "región")
    prediction = types.Prediction("no_fraud", types.Probabilities(0.75, 0.25), (warning,))
    codes = np.array([MIXED_CODES])
    codes[0, [INDICES["bmi"], INDICES["región"]]] = MISSING, UNKNOWN
    text = "".join(csv_rows.write(MIXED, csv_rows.table_of(MIXED, codes), [[prediction]]))
    header, row = text.splitlines()
    assert header == f"{','.join(MIXED_ROW)},outcome,probability_no_fraud,probability_fraud,warnings"
    assert row == "41,,-0.5,false,true,female,,2,001,no_fraud,0.75,0.25,unknown_category:región"


values = st.fixed_dictionaries(
    {
        "age": st.integers(0, 120),
        "temperature change": st.floats(-40, 40),
        "smoker": st.booleans(),
        "región": st.sampled_from(["norte", "sur", "este: costa", "oeste"]),
        "ward": st.sampled_from([1, 2, 10]),
    },
    optional={
        "bmi": st.none() | st.floats(0.1, 100),
        "vaccinated": st.none() | st.booleans(),
        "sex": st.sampled_from([None, "female", "male"]),
        "zip": st.sampled_from([None, "001", "010", "100"]),
    },
)


@given(rows=st.lists(values, min_size=1, max_size=5))
def test_rows_have_the_same_bits_through_every_format(rows: list[dict[str, Any]]) -> None:
    expected = np.array([MIXED.encode([row.get(name) for name in MIXED_ROW]) for row in rows])
    assert read_json(MIXED, rows).tobytes() == expected.tobytes()
    assert read_lines(MIXED, rows).tobytes() == expected.tobytes()
    table = csv_rows.table_of(MIXED, expected)
    written = [dict(zip(table.header, cells, strict=True)) for cells in table.rows]
    assert np.array_equal(read_csv(MIXED, written), expected, equal_nan=True)


def test_a_header_is_described_where_there_is_none() -> None:
    with pytest.raises(MalformedDocument):
        csv_rows.read(MIXED, b"", 1)


def test_class_names_that_hold_each_other_are_told_apart() -> None:
    assert [MIXED.match_class(name) for name in ("fraud", "no_fraud", "No fraud", "FRAUD", "no fraud?")] == [
        MIXED.classes[1],
        MIXED.classes[0],
        MIXED.classes[0],
        MIXED.classes[1],
        None,
    ]
