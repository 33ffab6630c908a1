"""Raw networks from noisy latents to an output."""
