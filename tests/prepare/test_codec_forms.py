"""What a codec writes must be what a bundle's reader takes: a kind without a form fails when somebody samples."""

import importlib
import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec, kinds, listed
from tabgraphsyn.data.codec import table as tables
from tabgraphsyn.data.codec.arithmetic import rules_to_dict
from tabgraphsyn.data.codec.bands import BandRule
from tabgraphsyn.data.codec.forms import ColumnForm, TableCodecForm
from tabgraphsyn.data.codec.kinds import CODECS
from tabgraphsyn.data.declared import any_of, form_of
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.data.untrusted import builtins, decoded
from tabgraphsyn.errors import DataError

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"


def test_every_kind_of_codec_has_a_form():
    assert {form.__struct_config__.tag for form in get_args(ColumnForm)} == set(CODECS)


def test_a_table_with_bands_is_read_back():
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, 600)
    words = np.array(["18-34", "35-64", "65+"])[np.searchsorted([35, 65], age, side="right")]
    schema = TableSchema("t", (Column("age", "numerical"), Column("group", "categorical")), ())
    table = Table(schema, pa.table({"age": age, "group": words}))
    codec = TableCodec.fit(table, np.ones(600, bool), ["age", "group"], CodecConfig())
    assert any(isinstance(rule, BandRule) for rule in codec.rules), rules_to_dict(codec.rules)
    decoded(json.dumps(codec.to_dict()).encode(), TableCodecForm, "t.json")


def test_a_base_class_has_no_form():
    """A field of a base class would let a bundle name whatever inherits from it."""
    from tabgraphsyn.data.codec.column import ColumnCodec
    from tabgraphsyn.data.codec.identifier import UnmodelledCodec

    for base in (ColumnCodec, UnmodelledCodec):
        with pytest.raises(TypeError):
            form_of(base)


def test_a_kind_of_the_extension_page_is_one_class_and_one_line(tmp_path, monkeypatch):
    code = re.search(r'```python title="tabgraphsyn/data/codec/sizes.py"\n(.*?)```', PAGE.read_text(), re.DOTALL)
    (tmp_path / "sizes_of_the_page.py").write_text(code[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    sizes = importlib.import_module("sizes_of_the_page").SizesCodec
    rng = np.random.default_rng(0)
    values = pa.array([f"{one}x{other}" for one, other in rng.integers(30, 36, (400, 2))])
    names = list("abc")
    schema = TableSchema("t", tuple(Column(name, "categorical") for name in names), ())
    words = pa.array(rng.choice(["x", "y"], 400))
    table = Table(schema, pa.table({"a": values, "b": words, "c": pa.array([None, *values[1:].to_pylist()])}))
    former = TableCodec.fit(table, np.ones(400, bool), names, CodecConfig())
    for module in (kinds, tables):
        monkeypatch.setattr(module, "KINDS", (sizes, *kinds.KINDS))
    for module in (kinds, tables, listed):
        monkeypatch.setattr(module, "CODECS", {"sizes": sizes, **CODECS})
    codec = TableCodec.fit(table, np.ones(400, bool), names, CodecConfig())
    assert [one.kind for one in codec.columns.values()] == ["sizes", "categorical", "categorical"]
    assert former.columns["b"] == codec.columns["b"] and former.columns["c"] == codec.columns["c"]
    raw = codec.to_dict()["columns"][0]["codec"]
    form = any_of(*kinds.KINDS)
    again = TableCodec.from_dict(json.loads(json.dumps(codec.to_dict())))
    assert sizes.from_dict(builtins(decoded(json.dumps(raw).encode(), form, "t"))) == again.columns["a"]
    encoded = again.encode(table.read(names))
    assert again.decode(encoded.numerical[..., 0], encoded.categorical, rng)["a"].to_pylist() == values.to_pylist()
    assert listed.in_words(raw).startswith("widths and lengths") and not list(listed.listed_values(raw))
    for change in ({"more": 1}, {"column": ""}, {"width": {**raw["width"], "kind": "sizes"}}, {"length": None}):
        with pytest.raises(DataError):
            decoded(json.dumps({**raw, **change}).encode(), form, "t")
    with pytest.raises(DataError, match="kind"):
        decoded(json.dumps(raw).encode(), ColumnForm, "t")  # whoever has not the class reads no such bundle
