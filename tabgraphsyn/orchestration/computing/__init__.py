"""The processes that compute a stage: the worker, its ranks, and what they leave to read."""
