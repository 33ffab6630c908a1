"""Columns that are known before a row is generated: from parents, children, panels."""
