"""What surrounds a row: clean rows of its parents, the siblings before it, and the times of these."""
