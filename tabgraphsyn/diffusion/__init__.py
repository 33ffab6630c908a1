"""Diffusion as pure functions of tensors."""
