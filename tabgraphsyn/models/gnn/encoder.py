"""What all graph networks share; a file beside this one gives only its convolution.

Rows start from their latents (where visible), structural features and a learned token (where hidden); every layer adds
the messages of each edge type, in both directions of every key; the condition is read from all layers together, so that
what stands in a row's own parents is not washed out by later hops.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.data.graph import EdgeType
from tabgraphsyn.models.gnn.base import ConditionEncoder, GraphBatch, GraphSchema
from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.heads import NeighbourHead, PredictionHead
from tabgraphsyn.ranges import Layers, Share, ShareBelowOne, Width

# Rows of a table that one pass embeds at a time when nothing is trained: bounds memory, not the result.
CHUNK_ROWS = 131_072


class RowInput(nn.Module):
    """First vector of every row of one table, (rows, hidden_dim)."""

    def __init__(self, *, latent_dim: int, structure_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.structure = nn.Linear(structure_dim, hidden_dim, bias=False) if structure_dim else None
        self.latents = nn.Linear(latent_dim, hidden_dim, bias=False) if latent_dim else None
        self.token = nn.ParameterDict({name: nn.Parameter(torch.randn(hidden_dim)) for name in ("visible", "hidden")})
        self.norm = nn.LayerNorm(hidden_dim)

    def forward(self, structure: Tensor, latents: Tensor | None) -> Tensor:
        """Return the first vectors; ``latents`` is None where they are hidden; (rows, hidden_dim)."""
        first = self.token["hidden" if latents is None else "visible"].expand(structure.shape[0], -1)
        if self.structure is not None:
            first = first + self.structure(structure)
        if self.latents is not None and latents is not None:
            first = first + self.latents(latents)
        return F.gelu(self.norm(first))


class RowUpdate(nn.Module):
    """Adds a layer's messages to the vectors of one table: ``x + W2 act(norm(W1 x + messages))``."""

    def __init__(self, *, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.own = nn.Linear(hidden_dim, hidden_dim)
        self.norm = nn.LayerNorm(hidden_dim)
        self.out = nn.Linear(hidden_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor, messages: list[Tensor]) -> Tensor:
        """Return the next vectors, (rows, hidden_dim)."""
        mixed = self.own(rows)
        for message in messages:
            mixed = mixed + message
        return rows + self.out(self.dropout(F.gelu(self.norm(mixed))))


class GraphLayer(nn.Module):
    """One convolution per edge type and one update per table."""

    def __init__(self, *, convolution: Callable[[], nn.Module], schema: GraphSchema, hidden_dim: int, dropout: float):
        super().__init__()
        self.convolutions = nn.ModuleList(convolution() for _ in schema.edge_types)
        self.updates = nn.ModuleList(RowUpdate(hidden_dim=hidden_dim, dropout=dropout) for _ in schema.tables)

    def forward(self, table: int, rows: Tensor, incoming: list[tuple[int, Tensor, Edges]]) -> Tensor:
        """Return the next vectors of one table.

        Args:
            table: number of the table.
            rows: its vectors, (rows, hidden_dim).
            incoming: for each edge type into it: its number, the vectors of the source table, the edges.
        """
        if self.training or torch.is_grad_enabled() or rows.shape[0] <= CHUNK_ROWS:
            return self._update(table, rows, incoming)
        chunks = []
        for first in range(0, rows.shape[0], CHUNK_ROWS):
            last = min(first + CHUNK_ROWS, rows.shape[0])
            parts = []
            for number, source, edges in incoming:
                part, source_rows = edges.part(first, last)
                parts.append((number, source[source_rows], part))
            chunks.append(self._update(table, rows[first:last], parts))
        return torch.cat(chunks)

    def _update(self, table: int, rows: Tensor, incoming: list[tuple[int, Tensor, Edges]]) -> Tensor:
        messages = [self.convolutions[number](source, rows, edges) for number, source, edges in incoming]
        return self.updates[table](rows, messages)


class GraphEncoder(ConditionEncoder):
    """A heterogeneous graph network around any bipartite convolution, which a subclass gives.

    Args:
        graph_schema: node and edge types (runtime).
        hidden_dim: width of a row's vector.
        layers: hops; 2 or 3, however many tables there are.
        condition_dim: width of a condition.
        dropout: share of an update's hidden units that a training step drops.
        reconstruction_weight: share of the loss that asks a row's condition for the latents of its visible neighbours.
    """

    is_trained = True
    condition_mean: Tensor
    condition_std: Tensor

    def __init__(
        self,
        *,
        graph_schema: GraphSchema,
        hidden_dim: Width = 64,
        layers: Layers = 2,
        condition_dim: Width = 64,
        dropout: ShareBelowOne = 0.1,
        reconstruction_weight: Share = 0.25,
    ) -> None:
        super().__init__()
        self.layers, self.condition_dim = layers, condition_dim
        self.hidden_dim = hidden_dim
        self.reconstruction_weight = reconstruction_weight
        self.graph_schema = schema = graph_schema
        self.inputs = nn.ModuleList(
            RowInput(latent_dim=schema.latent_dims[t], structure_dim=schema.structure_dims[t], hidden_dim=hidden_dim)
            for t in schema.tables
        )
        self.hops = nn.ModuleList(
            GraphLayer(convolution=self.convolution, schema=schema, hidden_dim=hidden_dim, dropout=dropout)
            for _ in range(layers)
        )
        tables = range(len(schema.tables))
        self.outputs = nn.ModuleList(nn.Linear((layers + 1) * hidden_dim, condition_dim) for _ in tables)
        self.predictions = nn.ModuleList(
            PredictionHead(condition_dim=condition_dim, latent_dim=schema.latent_dims[t]) for t in schema.tables
        )
        self.neighbours = nn.ModuleList(
            NeighbourHead(condition_dim=condition_dim, latent_dim=schema.latent_dims[source])
            for source, _, _ in schema.edge_types
        )
        self.number = {table: place for place, table in enumerate(schema.tables)}
        self.incoming: dict[str, list[tuple[int, EdgeType]]] = {
            table: [(n, edge_type) for n, edge_type in enumerate(schema.edge_types) if edge_type[2] == table]
            for table in schema.tables
        }
        self.register_buffer("condition_mean", torch.zeros(len(schema.tables), condition_dim))
        self.register_buffer("condition_std", torch.ones(len(schema.tables), condition_dim))

    @abstractmethod
    def convolution(self) -> nn.Module:
        """Return a new convolution: ``(source rows, target rows, Edges) -> messages``, all ``hidden_dim`` wide."""

    def _reached(self, target: str) -> list[list[str]]:
        """Return for every hop the tables whose vectors the next one needs; the last holds the target alone."""
        needed = [[target]]
        for _ in range(self.layers):
            sources = {edge_type[0] for table in needed[0] for _, edge_type in self.incoming[table]}
            needed.insert(0, [t for t in self.graph_schema.tables if t in sources or t in needed[0]])
        return needed

    def embed(self, graph: GraphBatch, target: str) -> Tensor:
        """Return the conditions before standardisation, of the rows asked for, (rows, condition_dim)."""
        visible = self.graph_schema.visible(target)
        reached = self._reached(target)
        rows = {table: self._first(graph, table, is_visible=table in visible) for table in reached[0]}
        kept = [rows[target]]
        for hop, tables in enumerate(reached[1:]):
            rows = {table: self._next(hop, table, rows, graph) for table in tables}
            kept.append(rows[target])
        if graph.rows is not None:
            kept = [vectors.index_select(0, graph.rows) for vectors in kept]
        return self.outputs[self.number[target]](torch.cat(kept, dim=1))

    def _first(self, graph: GraphBatch, table: str, *, is_visible: bool) -> Tensor:
        return self.inputs[self.number[table]](graph.structure[table], graph.latents[table] if is_visible else None)

    def _next(self, hop: int, table: str, rows: dict[str, Tensor], graph: GraphBatch) -> Tensor:
        incoming = [
            (number, rows[edge_type[0]], graph.edges[edge_type])
            for number, edge_type in self.incoming[table]
            if edge_type in graph.edges
        ]
        return self.hops[hop](self.number[table], rows[table], incoming)

    def forward(self, graph: GraphBatch, target: str) -> Tensor:
        """Return standardised conditions of the rows asked for, (rows, condition_dim)."""
        place = self.number[target]
        return (self.embed(graph, target) - self.condition_mean[place]) / self.condition_std[place]

    @torch.no_grad()
    def fit_standardisation(self, graph: GraphBatch, target: str) -> None:
        """Set the mean and spread of the conditions of ``target`` from the rows asked for."""
        conditions = self.embed(graph, target)
        if not conditions.shape[0]:
            return
        place = self.number[target]
        spread = conditions.std(dim=0, correction=0)
        self.condition_mean[place] = conditions.mean(dim=0)
        # Dimensions that hardly vary stay small instead of showing rounding errors at full size.
        self.condition_std[place] = spread.clamp(min=max(1e-4, 1e-2 * float(spread.max())))

    def loss(self, graph: GraphBatch, target: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Return ``prediction`` of the target's latents, ``reconstruction`` of its neighbours' and their ``loss``.

        Shape:
            all are scalar.
        """
        embedding = self.embed(graph, target)
        prediction = self.predictions[self.number[target]](embedding, self._asked(graph.latents[target], graph))
        terms = [
            self.neighbours[number](embedding, *self._neighbour_means(graph, edge_type))
            for number, edge_type in self._visible_neighbours(graph, target)
        ]
        reconstruction = torch.stack(terms).mean() if terms else torch.zeros_like(prediction)
        share = self.reconstruction_weight
        total = (1 - share) * prediction + share * reconstruction
        return {"loss": total, "prediction": prediction, "reconstruction": reconstruction}

    def _visible_neighbours(self, graph: GraphBatch, target: str) -> list[tuple[int, EdgeType]]:
        visible = self.graph_schema.visible(target)
        return [
            (number, edge_type)
            for number, edge_type in self.incoming[target]
            if edge_type[0] in visible and edge_type in graph.edges and self.graph_schema.latent_dims[edge_type[0]]
        ]

    def _neighbour_means(self, graph: GraphBatch, edge_type: EdgeType) -> tuple[Tensor, Tensor]:
        """Return the mean latents of each asked row's neighbours, and 1 where it has any."""
        edges = graph.edges[edge_type]
        means = edges.mean(edges.from_source(graph.latents[edge_type[0]]))
        return self._asked(means, graph), self._asked((edges.target_degree > 0).to(means.dtype), graph)

    @staticmethod
    def _asked(values: Tensor, graph: GraphBatch) -> Tensor:
        return values if graph.rows is None else values.index_select(0, graph.rows)
