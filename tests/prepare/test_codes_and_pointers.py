import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.codes import MISSING, dense_codes, tuple_codes, tuple_codes_of_both
from tabgraphsyn.data.pointers import CENSORED, NULL, ORPHAN, UNMATCHED, follow, through

NUMBERS = st.one_of(st.integers(-4, 6), st.sampled_from([2**62, -(2**62), 2**40]))


@st.composite
def columns(draw, least=1):
    count, rows = draw(st.integers(least, 4)), draw(st.integers(0, 12))
    return [np.array(draw(st.lists(NUMBERS, min_size=rows, max_size=rows)), dtype=np.int64) for _ in range(count)]


@settings(max_examples=300, deadline=None)
@given(columns(), st.booleans())
def test_codes_number_the_tuples_in_their_order(held, is_missing):
    tuples = list(zip(*(column.tolist() for column in held), strict=True))
    counted = [one for one in tuples if not (is_missing and min(one) < 0)]
    places = {one: place for place, one in enumerate(sorted(set(counted)))}
    wanted = [places.get(one, MISSING) if one in places else MISSING for one in tuples]
    assert tuple_codes(held, is_missing=is_missing).tolist() == wanted


@settings(max_examples=100, deadline=None)
@given(columns(), st.integers(0, 12))
def test_codes_of_two_sides_are_those_of_all_rows_together(held, cut):
    left, right = ([column[part] for column in held] for part in (slice(cut), slice(cut, None)))
    both = np.concatenate(tuple_codes_of_both(left, right))
    assert both.tolist() == tuple_codes(held).tolist()


def test_without_columns_all_rows_are_equal():
    assert tuple_codes([], rows=3).tolist() == [0, 0, 0]


@given(st.lists(st.floats(allow_infinity=True), max_size=30))
def test_dense_codes_are_equal_just_where_values_are(values):
    array = np.array(values)
    codes = dense_codes(array, is_sorted=False)
    for place, value in enumerate(array):
        same = np.isnan(array) if np.isnan(value) else array == value
        assert (codes == codes[place]).tolist() == same.tolist()


@given(
    st.lists(st.sampled_from([NULL, CENSORED, UNMATCHED, ORPHAN, 0, 1, 2]), max_size=20),
    st.lists(st.integers(-3, 99), min_size=3, max_size=3),
)
def test_through_reads_parents_and_nothing_else(pointer, values):
    found = through(np.array(pointer, dtype=np.int64), np.array(values), nothing=-7)
    assert found.tolist() == [values[row] if row >= 0 else -7 for row in pointer]


@given(
    st.lists(st.sampled_from([NULL, CENSORED, 0, 1]), max_size=12),
    st.lists(st.sampled_from([NULL, 0]), min_size=2, max_size=2),
)
def test_a_path_keeps_why_it_ended(first, second):
    found = follow(["a", "b"], {"a": np.array(first, dtype=np.int64), "b": np.array(second)})
    assert found.tolist() == [second[row] if row >= 0 else row for row in first]


def test_all_kinds_of_no_row_differ():
    assert len({NULL, CENSORED, UNMATCHED, ORPHAN}) == 4
    assert max(NULL, CENSORED, UNMATCHED, ORPHAN) < 0
