"""Where a training begins: with the weights of another model's stage, if the plan gave it one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from tabgraphsyn.errors import StageError
from tabgraphsyn.stages.context import StageContext

_ROLE = "start_from/"
_LEAST_SHARE = 0.5


def start_from(network: nn.Module, context: StageContext, name: str) -> None:
    """Copy into a network what fits it of the weights that its training is to begin with; without such, do nothing.

    Other data have other columns and codes, so that first and last layers may have other shapes: they begin anew.

    Args:
        network: as it was drawn.
        context: of the stage that trains it.
        name: of the weights' file, without its ending.

    Raises:
        StageError: less than half of the numbers fit: another architecture.
    """
    role = next((role for role in context.inputs if role.startswith(_ROLE)), None)
    if role is None:
        return
    path = context.input(role) / f"{name}.safetensors"
    if not path.is_file():
        context.log.info("start_from: nothing was trained there for %s; it begins anew", context.table or context.stage)
        return
    # Parameters alone: what a loss or a scale has learnt of the other training stands in buffers, and begins anew.
    own = dict(network.named_parameters())
    fitting, other = _fitting(path, own)
    total = sum(value.numel() for value in own.values())
    taken = sum(value.numel() for value in fitting.values())
    if taken < _LEAST_SHARE * total:
        raise StageError(
            f"{context.stage}: start_from: {taken:,} of {total:,} weights fit this network, at least half expected "
            f"(of another shape or name: {', '.join(other[:5])}). Begin with a model of the same architecture."
        )
    network.load_state_dict(fitting, strict=False)
    context.log.info("start_from: %d of %d weights are those of %s; anew: %s", taken, total, role, other[:10])


def _fitting(path: Path, wanted: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Return the finite tensors that have name, shape and type of the network's, and the names of its others."""
    fitting = {}
    with safe_open(path, framework="pt") as file:
        for name in set(file.keys()) & set(wanted):
            if tuple(file.get_slice(name).get_shape()) == tuple(wanted[name].shape):
                value = file.get_tensor(name)
                if value.dtype == wanted[name].dtype and bool(torch.isfinite(value.float()).all()):
                    fitting[name] = value
    return fitting, [name for name in wanted if name not in fitting]
