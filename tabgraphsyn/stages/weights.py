"""The weights of a network to and from a file; read, they are held against what the network declares before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import nn
from torch.overrides import TorchFunctionMode

from tabgraphsyn.data.files import written_aside
from tabgraphsyn.data.tensors import check_declared, finite_arrays

_Network = TypeVar("_Network", bound=nn.Module)


def write_weights(network: nn.Module, path: Path) -> None:
    """Write the state of a network, parameters and buffers, as safetensors."""
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with written_aside(path) as aside:
        save_file(weights, aside)


def with_weights(make: Callable[[], _Network], path: Path) -> _Network:
    """Return a network with the weights of ``path``.

    It is made on the ``meta`` device first, which has shapes and no memory: a config that declares more than the file
    holds is refused before it takes any.

    Args:
        make: builds the network.
        path: safetensors of its state.

    Raises:
        DataError: no plain file, tensors of other names, types or shapes, or numbers that are not finite.
    """
    with torch.device("meta"), _WithoutFirstValues():
        blank = make().state_dict()
    wanted = {name: (str(one.dtype).removeprefix("torch."), tuple(one.shape)) for name, one in blank.items()}
    check_declared(path, wanted)
    network = make()
    # A counter of a new network may start at infinity (the best loss so far); that is no fault of a file.
    unbounded = {name for name, one in network.state_dict().items() if not torch.isfinite(one).all()}
    arrays = finite_arrays(path, wanted, unbounded)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return network


class _WithoutFirstValues(TorchFunctionMode):
    """Leaves out first values of weights for which the ``meta`` device loads torch's compiler, or sympy.

    There it is nothing, and the import takes 1 to 3 s, more than sampling a small database.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch."""
        if func in (torch.Tensor.normal_, nn.init.normal_):
            return args[0] if args else kwargs["tensor"]
        if func is torch.linspace:
            return torch.empty(args[2])
        return func(*args, **(kwargs or {}))
