"""Scores of a synthetic database beside its baselines, and the report."""
