"""A config, composed and checked before anything is queued."""
