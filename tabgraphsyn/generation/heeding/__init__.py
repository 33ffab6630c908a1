"""Rules heeded while rows are unmasked: what follows is computed, what cannot be has no probability."""
