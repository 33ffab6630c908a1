"""EDM's preconditioning (Karras et al. 2022, arXiv 2206.00364, table 1), as pure functions of sigma.

With data of standard deviation ``sigma_data`` the denoised function is
``D(x; sigma) = skip(sigma) x + output(sigma) F(input(sigma) x; noise(sigma))`` and every scaling keeps
the inputs and targets of the raw network F at unit variance.
"""

from __future__ import annotations

import torch
from torch import Tensor


def skip_scaling(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return c_skip(sigma), in (0, 1]; of the shape of ``sigma``.

    >>> skip_scaling(torch.tensor(1.0), 1.0).item()
    0.5
    """
    return sigma_data**2 / (sigma**2 + sigma_data**2)


def output_scaling(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return c_out(sigma), in (0, sigma_data)."""
    return sigma * sigma_data / torch.sqrt(sigma**2 + sigma_data**2)


def input_scaling(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return c_in(sigma), which brings noisy latents to unit variance; of the shape of ``sigma``."""
    return 1.0 / torch.sqrt(sigma**2 + sigma_data**2)


def noise_scaling(sigma: Tensor) -> Tensor:
    """Return c_noise(sigma) = log(sigma) / 4, what the network sees of the noise level; of the shape of ``sigma``."""
    return torch.log(sigma) / 4.0


def denoised_from_raw(raw: Tensor, noisy: Tensor, sigma: Tensor, sigma_data: float) -> Tensor:
    """Return D(x; sigma) from the raw network's output.

    Shape:
        raw, noisy: (rows, dim). sigma: (rows, 1).
    """
    return skip_scaling(sigma, sigma_data) * noisy + output_scaling(sigma, sigma_data) * raw
