"""The similarity graph of a table without relations: every row and the rows nearest to it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.graph import Adjacency

# Distances that are held at once: bounds memory at about 128 MB.
CHUNK_DISTANCES = 2**25


def neighbours(latents: Tensor, k: int) -> np.ndarray:
    """Return the edges from each row's ``k`` nearest other rows to it, (2, rows * k) int64, sorted by target.

    Euclidean distance, exact, in chunks. A table with ``k`` rows or fewer gets all other rows.

    Shape:
        latents: (rows, latent_dim); without latents no row is near another and there are no edges.
    """
    rows, width = latents.shape
    k = min(k, rows - 1)
    if k < 1 or not width:
        return np.zeros((2, 0), dtype=np.int64)
    chunk = max(1, CHUNK_DISTANCES // rows)
    nearest = torch.cat([_nearest(latents, first, chunk, k) for first in range(0, rows, chunk)])
    source = nearest.cpu().numpy().reshape(-1)
    return np.stack([source, np.repeat(np.arange(rows), k)])


def _nearest(latents: Tensor, first: int, count: int, k: int) -> Tensor:
    part = latents[first : first + count]
    distance = torch.cdist(part, latents)
    own = torch.arange(part.shape[0], device=latents.device)
    distance[own, first + own] = torch.inf
    return distance.topk(k, dim=1, largest=False).indices


def similarity_adjacency(latents: Tensor, k: int) -> Adjacency:
    """Return the neighbour lists of the similarity graph of latents (rows, latent_dim)."""
    source, target = neighbours(latents, k)
    return Adjacency.from_edges(source, target, latents.shape[0])
