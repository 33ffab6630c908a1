import numpy as np
import pytest

from tabgraphsyn.data.rules.find_sums import exact_groups

ROWS = 400


@pytest.mark.parametrize(
    "column",
    [
        np.where(np.arange(ROWS) % 2, 1e308, -1e308),
        9e18 + np.arange(ROWS) % 3,
        np.nextafter(1.0, 2.0) - (np.arange(ROWS) % 2) * np.finfo(float).eps,
        np.arange(ROWS) * 5e-324,
    ],
    ids=["largest", "beyond 2^53", "last digit", "smallest"],
)
def test_numbers_at_the_ends_of_floats_stop_no_search(column):
    flags = np.arange(ROWS) % 2
    found = exact_groups({"a": flags, "b": 1 - flags, "x": column})
    assert sorted(map(sorted, found)) == [["a", "b"]]
