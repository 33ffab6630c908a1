"""Columns to numbers and categories, and back."""
