"""What must agree between the files of a bundle with a graph network, or whose generator is a latent diffusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tabgraphsyn.data.schema import Schema
from tabgraphsyn.data.untrusted import builtins
from tabgraphsyn.errors import listing
from tabgraphsyn.generation.bundles.forms import ManifestForm


def latent_problems(manifest: ManifestForm, forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    """Yield which files of the networks do not fit each other, the plan or the codecs."""
    yield from graph_problems(manifest, forms, schema)
    for table in manifest.tables:
        yield from trained_problems("diffusion", table, manifest, forms)


def trained_problems(kind: str, table: str, manifest: ManifestForm, forms: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the file of a kind that says what was trained for a table."""
    where, form = f"{kind}/{table}.json", forms[f"{kind}/{table}.json"]
    if form.table != table:
        yield f"{where}: the file of table {table!r} names it, found another name."
    if (form.training is not None) != (f"{kind}/{table}.safetensors" in manifest.files):
        yield f"{where}: weights where something was trained expected, and nowhere else."


def graph_problems(manifest: ManifestForm, forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    """Yield which files of the graph network and of what it reads do not fit each other, the plan or the codecs."""
    yield from _graph_problems(forms, schema)
    for table in manifest.tables:
        autoencoder = forms[f"autoencoder/{table}.json"]
        if autoencoder.table != table:
            yield f"autoencoder/{table}.json: the file of table {table!r} names it, found another name."
        if builtins(autoencoder.layout) != builtins(forms[f"codec/{table}.json"].layout):
            yield f"autoencoder/{table}.json: the layout of the codec expected, found another."
        if autoencoder.latent_dim != forms["gnn.json"].graph_schema.latent_dims.get(table):
            yield f"autoencoder/{table}.json: the latent_dim of gnn.json expected, found {autoencoder.latent_dim}."


def _graph_problems(forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    """Yield which tables and relations of ``gnn.json`` are not those of plan and schema."""
    plan, graph, features = forms["plan.json"], forms["gnn.json"].graph_schema, forms["gnn.json"].features
    tables = {*schema.table_names}
    if len(graph.tables) != len(tables) or set(graph.tables) != tables:
        yield f"gnn.json: tables: each table of schema.json once expected, found {listing(graph.tables, 5)}."
    for where, found in (
        ("latent_dims", graph.latent_dims),
        ("structure_dims", graph.structure_dims),
        ("mean", features.mean),
        ("std", features.std),
    ):
        if set(found) != tables:
            yield f"gnn.json: {where}: an entry for each table expected, found {listing(found, 5)}."
    for where, one, wanted in (
        ("driver", features.driver, plan.driver),
        ("reference_tables", sorted(features.reference_tables), sorted(plan.reference_tables)),
        ("schema", features.schema, forms["schema.json"]),
    ):
        if one != wanted:
            yield f"gnn.json: {where}: what plan.json and schema.json say expected."
