"""Encoded columns to latents and back."""
