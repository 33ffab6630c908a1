"""A graph network around any bipartite convolution of PyG, named in yaml."""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.models.gnn.base import GraphSchema
from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.encoder import GraphEncoder
from tabgraphsyn.ranges import Layers, Share, ShareBelowOne, Width

HOME = "torch_geometric.nn"
MOST = 1_024
"""What an argument may ask for: beyond, a typo or a stranger's bundle takes the machine."""


class ConvolutionNetwork(GraphEncoder):
    """A heterogeneous graph network of one convolution of PyG per edge type and layer.

    Args:
        graph_schema: node and edge types (runtime).
        convolution: ``_target_``, a message passing class of ``torch_geometric.nn`` that takes two kinds of rows, and
            its arguments. Widths come from here: ``in_channels``, ``out_channels``, ``channels`` and the map ``nn``
            (linear; for ``EdgeConv``, which has one pair of rows at a time, followed by a ReLU) are not set in yaml;
            nor are self-loops, which would tie rows of two tables that happen to have one number.
        estimates_sums: messages are plain sums over the neighbours; where only some were sampled, their sum is scaled
            to estimate that over all. False for means, maxima and attention.

    The other arguments are those of ``GraphEncoder``.

    Raises:
        ConfigError: no such convolution, arguments that it does not take, or one that asks for more than rows of two
            tables and edges between them.
    """

    unbuilt = frozenset({"convolution"})

    def __init__(
        self,
        *,
        graph_schema: GraphSchema,
        convolution: Mapping[str, Any],
        estimates_sums: bool = False,
        hidden_dim: Width = 64,
        layers: Layers = 2,
        condition_dim: Width = 64,
        dropout: ShareBelowOne = 0.1,
        reconstruction_weight: Share = 0.25,
    ) -> None:
        # Set first: the base class asks for convolutions while it is built.
        self._kind = convolution_class(convolution.get("_target_"))
        self._arguments = {key: value for key, value in convolution.items() if key != "_target_"}
        self._estimates_sums = estimates_sums
        super().__init__(
            graph_schema=graph_schema,
            hidden_dim=hidden_dim,
            layers=layers,
            condition_dim=condition_dim,
            dropout=dropout,
            reconstruction_weight=reconstruction_weight,
        )

    def convolution(self) -> nn.Module:
        """Return a new convolution."""
        return Bipartite(convolution_of(self._kind, self._arguments, self.hidden_dim), self._estimates_sums)


class Bipartite(nn.Module):
    """A convolution of PyG from rows of one table to rows of another."""

    def __init__(self, convolution: nn.Module, estimates_sums: bool) -> None:
        super().__init__()
        self.inner = convolution
        self.scale = _ScaledSum() if estimates_sums else None
        if self.scale is not None:
            convolution.aggr_module = self.scale

    def forward(self, source: Tensor, target: Tensor, edges: Edges) -> Tensor:
        """Return messages to the target rows, (target rows, width).

        Shape:
            source: (source rows, width). target: (target rows, width).
        """
        if self.scale is not None:
            self.scale.weight = edges.sampling_weight
        return cast(Tensor, self.inner((source, target), edges.index))


class _ScaledSum(nn.Module):
    """The sum over all neighbours, estimated from those that were sampled."""

    weight: Tensor | None = None

    def forward(self, x: Tensor, index: Tensor, ptr: Any = None, dim_size: int | None = None, dim: int = -2) -> Tensor:
        """Return (dim_size, width) sums of messages (edges, width)."""
        summed = x.new_zeros(dim_size or 0, *x.shape[1:]).index_add(0, index, x)
        return summed if self.weight is None else summed * self.weight.unsqueeze(1).to(summed.dtype)


def convolution_class(target: Any) -> type[nn.Module]:
    """Return the message passing class of PyG that ``target`` names.

    Raises:
        ConfigError: no such class.
    """
    from torch_geometric.nn import MessagePassing

    module, _, name = str(target).rpartition(".")
    found = getattr(import_module(HOME), name, None) if module in (HOME, f"{HOME}.conv") else None
    if not (isinstance(found, type) and issubclass(found, MessagePassing) and found is not MessagePassing):
        raise ConfigError(f"gnn.convolution._target_: a convolution, {HOME}.<name>, expected, found {target!r}.")
    return found


def convolution_of(kind: type[nn.Module], arguments: Mapping[str, Any], width: int) -> nn.Module:
    """Return a convolution whose rows and messages are ``width`` wide.

    Raises:
        ConfigError: see ``ConvolutionNetwork``.
    """
    taken = inspect.signature(kind).parameters
    for key, value in arguments.items():
        if not _is_small(value):
            raise ConfigError(
                f"gnn.convolution.{key}: a number up to {MOST}, a word or a list of them, found {value!r}."
            )
    heads = int(arguments.get("heads", 1))
    is_joined = bool(arguments.get("concat", taken["concat"].default if "concat" in taken else False))
    if heads < 1 or (is_joined and width % heads):
        raise ConfigError(f"gnn.convolution.heads: must divide gnn.hidden_dim = {width!r}, found {heads!r}.")
    widths: dict[str, Any] = {"out_channels": width // heads if is_joined else width, "nn": _map(kind, width)}
    widths["add_self_loops"] = False  # row 3 of one table is not row 3 of another
    for each in ((width, width), width):  # some take one number only, though they take two kinds of rows
        widths |= {"in_channels": each, "channels": each}
        try:
            try:
                made = kind(**{key: value for key, value in widths.items() if key in taken}, **arguments)
            finally:
                _clear_written(kind)
            if torch.get_default_device().type == "meta":  # shapes alone are asked for
                return made
            with torch.no_grad():
                out = made.eval()((torch.zeros(3, width), torch.zeros(2, width)), torch.tensor([[0, 2], [1, 0]]))
        except Exception as error:
            refusal = error
            continue
        if isinstance(out, Tensor) and out.shape == (2, width):
            return made.train()
        refusal = ValueError(f"it gives no message of width {width}")
    raise ConfigError(
        f"gnn.convolution: {HOME}.{kind.__name__} cannot be built with {dict(arguments)!r} for rows of two tables "
        f"({type(refusal).__name__}: {str(refusal)[:200]}). Correct its arguments, or choose one that takes two kinds "
        "of rows and nothing else of an edge: SAGEConv, GraphConv, GATv2Conv, TransformerConv."
    ) from refusal


def _clear_written(kind: type[nn.Module]) -> None:
    """PyG writes the code of a class into the folder for passing files at its first object, and leaves it there."""
    for part in ("propagate", "edge_updater"):
        written = getattr(sys.modules.get(f"{kind.__module__}_{kind.__name__}_{part}"), "__file__", None)
        if written and Path(written).parent == Path(tempfile.gettempdir()):
            Path(written).unlink(missing_ok=True)


def _is_small(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= 100 and all(_is_small(one) for one in value)
    return isinstance(value, str | None) or (isinstance(value, int | float) and abs(value) <= MOST)


def _map(kind: type[nn.Module], width: int) -> nn.Module:
    if kind.__name__ == "EdgeConv":
        return nn.Sequential(nn.Linear(2 * width, width), nn.ReLU())
    return nn.Linear(width, width, bias=False)
