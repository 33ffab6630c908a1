"""Where a network begins with sizes: numbers of children, and of siblings.

It is told their logarithms, which of 265 and 365 children are .1 apart: a small table's few hundred steps never find
what such a difference says. So its first layers begin as if these logarithms deviated by 1. Nothing but their first
weights changes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgraphsyn.models.absorbing.history import place_features
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork

LEAST_SIZES = 1e-3
"""Least deviation of what is told of sizes: families of one size differ in nothing."""


def begin_with_sizes(network: AbsorbingNetwork, counts: Tensor, size: Tensor) -> None:
    """Change the first weights of a network that is not trained yet.

    Shape:
        counts: (rows, n), the last n facts of the training rows; those that are only 0 or 1 stay. size: (rows,), of
            their families.
    """
    place = place_features(torch.zeros_like(size), size)[:, -1:]
    told = torch.cat([counts, place], dim=1).double()
    deviation = told.std(0).nan_to_num()
    is_size = (deviation > LEAST_SIZES) & ((told != 0) & (told != 1)).any(0)
    middle, unit = torch.where(is_size, told.mean(0), 0.0).float(), torch.where(is_size, deviation, 1.0).float()
    columns = torch.cat([torch.arange(network.told - counts.shape[1], network.told), torch.tensor([-1])])
    _begun(network.facts, columns, middle, unit)
    if network.history is not None:
        first = network.remembered[0]
        assert isinstance(first, nn.Linear)
        _begun(first, columns[-1:], middle[-1:], unit[-1:])


@torch.no_grad()
def _begun(layer: nn.Linear, columns: Tensor, middle: Tensor, unit: Tensor) -> None:
    """Let a layer begin as if some of its inputs, (n,) each, were standardised."""
    weight = layer.weight[:, columns] / unit
    layer.weight[:, columns] = weight
    layer.bias -= weight @ middle
