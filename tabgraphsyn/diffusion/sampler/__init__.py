"""Samplers: from noise to latents with few evaluations of the denoised function."""
