"""Per table an autoencoder and a diffusion over its latents, under conditions of a graph network over all tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tabgraphsyn.generators.base import Content, Generator, Section
from tabgraphsyn.generators.graph import AUTOENCODER, CONTENTS, FORMS, GNN, PREPARE, SECTIONS
from tabgraphsyn.generators.kinds import StageInput, StageKind


@dataclass(frozen=True)
class LatentDiffusion(Generator):
    """Its settings are the groups ``autoencoder``, ``gnn``, ``denoiser``, ``diffusion`` and ``sampler``."""

    kinds: ClassVar[tuple[StageKind, ...]] = (
        AUTOENCODER,
        GNN,
        StageKind(
            name="diffusion",
            version=12,
            module="tabgraphsyn.stages.diffusion",
            config_keys=("denoiser", "diffusion", "training.diffusion", "seed"),
            inputs=(PREPARE, StageInput("autoencoder", "own"), StageInput("gnn")),
            per_table=True,
            is_resumable=True,
            trains=True,
        ),
    )
    contents: ClassVar[tuple[Content, ...]] = (
        *CONTENTS,
        Content(
            "diffusion",
            "diffusion.json",
            "diffusion/{table}.json",
            f"{FORMS}.DiffusionForm",
            components=("denoiser", "diffusion"),
        ),
        # A table of keys only has no weights.
        Content("diffusion", "diffusion.safetensors", "diffusion/{table}.safetensors", is_required=False),
    )
    rows: ClassVar[str] = "tabgraphsyn.stages.latent_rows.LatentRows"
    # Its settings are groups of their own, and what it trained names its samples.
    sampling_keys: ClassVar[tuple[str, ...]] = ("sampler",)
    sections: ClassVar[tuple[Section, ...]] = (
        *SECTIONS,
        Section("training.diffusion", "tabgraphsyn.training.scoring.ScoredLoopConfig"),
    )
    checks: ClassVar[str] = "tabgraphsyn.generation.bundles.latent_checks.latent_problems"
