"""Trained models of a store by name: which there are, their tags, and how a launch uses them."""
