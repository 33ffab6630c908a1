"""Databases: schema, reading, codecs, keys. Knows no network."""
