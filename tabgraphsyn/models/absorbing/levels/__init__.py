"""Levels in and out of the network: what known ones say of the others, by counts and together."""
