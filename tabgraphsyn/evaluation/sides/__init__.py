"""The tables that are compared: real, synthetic, theirs, and views of them."""
