"""Condition encoders: graph networks over the foreign-key graph, one a file."""
