"""What a codec writes must be what a bundle's reader takes: a kind without a form fails when somebody samples."""

import json
from typing import get_args

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.arithmetic import rules_to_dict
from tabgraphsyn.data.codec.bands import BandRule
from tabgraphsyn.data.codec.forms import ColumnForm, TableCodecForm
from tabgraphsyn.data.codec.kinds import CODECS
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.data.untrusted import decoded


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
