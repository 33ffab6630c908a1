"""Seeds that do not depend on the order in which things run."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def derive_seed(seed: int, *parts: str | int) -> int:
    """Return a seed in ``[0, 2**63)`` for one use of ``seed``, named by ``parts``.

    >>> derive_seed(0, "diffusion", "flights") == derive_seed(0, "diffusion", "flights")
    True
    >>> derive_seed(0, "diffusion", "flights") == derive_seed(0, "diffusion", "planes")
    False
    """
    digest = hashlib.sha256(json.dumps([seed, *parts]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_generator(seed: int, *parts: str | int) -> np.random.Generator:
    """Return numpy's default generator for one use of ``seed``, named by ``parts``."""
    return np.random.default_rng(derive_seed(seed, *parts))
