"""Generators: which stages learn the rows, what a bundle holds of them, and what samples from it. Imports nothing."""
