"""Columns of a table as units that are unmasked, and in which order."""
