"""Rows, values and shares that a user fixes when sampling, and nulls that are filled: wishes, and what meets them."""
