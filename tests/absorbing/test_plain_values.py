"""Values in plain figures and ISO dates, whatever a column's own format; what is neither is named with the format."""

import datetime

import pyarrow as pa
import pytest

from tabgraphsyn.data.formats import DatetimeFormat, NumberFormat
from tabgraphsyn.data.schema import Column
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.fixing.typed import typed

MONEY = Column("m", "numerical", format=NumberFormat(prefix="£", thousands=",", least=2, most=2))
DAY = Column("d", "datetime", format=DatetimeFormat(pattern="%d/%m/%Y"))


def test_plain_values_are_taken_and_own_ones_first():
    assert typed(pa.array(["500", "7.5", None]), MONEY, pa.float64(), "x").to_pylist() == [500, 7.5, None]
    assert typed(pa.array(["£1,250.00"]), MONEY, pa.float64(), "x").to_pylist() == [1250]
    found = [typed(pa.array([text]), DAY, pa.timestamp("us"), "x")[0].as_py() for text in ("2024-02-03", "03/02/2024")]
    assert found == [datetime.datetime(2024, 2, 3)] * 2


@pytest.mark.parametrize(
    ("column", "kind", "like"), [(MONEY, pa.float64(), "£1,234.57"), (DAY, pa.timestamp("us"), "%d")]
)
def test_what_is_neither_is_named_with_the_format(column, kind, like):
    with pytest.raises(DataError, match="many") as caught:
        typed(pa.array(["many"]), column, kind, "x")
    assert like in str(caught.value)


def test_numbers_of_a_data_frame_are_not_cut():
    percent = Column("p", "numerical", format=NumberFormat(suffix="%", whole=True))
    assert typed(pa.array([25.0, None]), percent, pa.int64(), "x").to_pylist() == [25, None]
    with pytest.raises(DataError, match=r"found 0\.5"):
        typed(pa.array([25.0, 0.5]), percent, pa.int64(), "x")
