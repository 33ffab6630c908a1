"""What the json files of a latent diffusion may hold in a bundle, one form a file.

A stage that writes another key adds a line here. See ``forms``.
"""

from __future__ import annotations

from tabgraphsyn.data.codec.forms import LayoutForm
from tabgraphsyn.data.untrusted import Form, Name, Number, Share, Spread
from tabgraphsyn.generation.bundles.forms import Component, Dim, SchemaForm, TrainingForm


class GraphSchemaForm(Form):
    """``GraphSchema``."""

    tables: list[Name]
    latent_dims: dict[Name, Dim]
    structure_dims: dict[Name, Dim]
    edge_types: list[tuple[Name, Name, Name]]


class FeaturesForm(Form):
    """``StructureFeatures``."""

    schema: SchemaForm
    driver: dict[Name, Name | None]
    reference_tables: list[Name]
    names: dict[Name, list[Name]]
    mean: dict[Name, list[Number]]
    std: dict[Name, list[Spread]]
    censored: dict[Name, Share]


class GnnForm(Form):
    """``gnn.json``."""

    gnn: Component
    graph_schema: GraphSchemaForm
    features: FeaturesForm
    training: TrainingForm | None


class AutoencoderForm(Form):
    """``autoencoder/<table>.json``."""

    table: Name
    autoencoder: Component
    layout: LayoutForm
    latent_dim: Dim
    output_dim: Dim
    training: TrainingForm | None


class DiffusionForm(Form):
    """``diffusion/<table>.json``."""

    table: Name
    condition_dim: Dim
    training: TrainingForm | None
    denoiser: Component
    diffusion: Component
