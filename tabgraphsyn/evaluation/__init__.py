"""Scores of a synthetic database against the real one: privacy first, then fidelity, beside baselines."""
