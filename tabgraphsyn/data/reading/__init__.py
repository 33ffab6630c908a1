"""Readers: files of several formats, one stream of record batches a table."""
