"""The one training loop, its checkpoints, and the flag that stops it."""
