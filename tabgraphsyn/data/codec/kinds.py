"""All kinds of codecs. These imports are the list, in the order in which kinds are asked whether they suit a column.

A new kind is a module with its class, and one line here: the first one whose ``proposal`` suits a column takes it, and
each ``beside`` sees what those before it have changed. The list is closed: a bundle names a kind of it, never code.
"""
# ruff: noqa: F401, I001

from __future__ import annotations

from tabgraphsyn.data.codec.categorical import ConstantCodec
from tabgraphsyn.data.codec.prefixed import PrefixedCodec
from tabgraphsyn.data.codec.personal import PersonalCodec
from tabgraphsyn.data.codec.identifier import IdentifierCodec
from tabgraphsyn.data.codec.identifier import TextCodec
from tabgraphsyn.data.codec.mixed import MixedCodec
from tabgraphsyn.data.codec.wide import WideCodec
from tabgraphsyn.data.codec.derived import DerivedCodec
from tabgraphsyn.data.codec.datetime import DatetimeCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.clock import ClockLagCodec
from tabgraphsyn.data.codec.clock import ClockCodec
from tabgraphsyn.data.codec.repeated import RepeatedCodec
from tabgraphsyn.data.codec import column

KINDS: tuple[type[column.ColumnCodec], ...] = tuple(one for one in tuple(vars().values()) if isinstance(one, type))
CODECS = {one.kind: one for one in KINDS}
