"""Columns to numbers and categories, and back."""

from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.table import TableCodec

__all__ = ["CodecConfig", "TableCodec"]
