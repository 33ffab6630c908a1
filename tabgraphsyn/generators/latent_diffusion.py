"""Per table an autoencoder and a diffusion over its latents, under conditions of a graph network over all tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tabgraphsyn.generators.base import Content, Generator, Section
from tabgraphsyn.generators.kinds import StageInput, StageKind

_PREPARE = StageInput("prepare")
_FORMS = "tabgraphsyn.generation.bundles.latent_forms"


@dataclass(frozen=True)
class LatentDiffusion(Generator):
    """Its settings are the groups ``autoencoder``, ``gnn``, ``denoiser``, ``diffusion`` and ``sampler``."""

    kinds: ClassVar[tuple[StageKind, ...]] = (
        StageKind(
            name="autoencoder",
            version=2,
            module="tabgraphsyn.stages.autoencoder",
            config_keys=("autoencoder", "training.autoencoder", "seed"),
            inputs=(_PREPARE,),
            per_table=True,
            is_resumable=True,
            trains=True,
        ),
        StageKind(
            name="gnn",
            version=3,
            module="tabgraphsyn.stages.gnn",
            config_keys=("gnn", "training.gnn", "seed"),
            inputs=(_PREPARE, StageInput("autoencoder", "all")),
            is_resumable=True,
            trains=True,
        ),
        StageKind(
            name="diffusion",
            version=12,
            module="tabgraphsyn.stages.diffusion",
            config_keys=("denoiser", "diffusion", "training.diffusion", "seed"),
            inputs=(_PREPARE, StageInput("autoencoder", "own"), StageInput("gnn")),
            per_table=True,
            is_resumable=True,
            trains=True,
        ),
    )
    contents: ClassVar[tuple[Content, ...]] = (
        Content("gnn", "gnn.json", "gnn.json", f"{_FORMS}.GnnForm", components=("gnn",)),
        Content("gnn", "gnn.safetensors", "gnn.safetensors"),
        Content(
            "autoencoder",
            "autoencoder.json",
            "autoencoder/{table}.json",
            f"{_FORMS}.AutoencoderForm",
            components=("autoencoder",),
        ),
        Content("autoencoder", "autoencoder.safetensors", "autoencoder/{table}.safetensors"),
        Content(
            "diffusion",
            "diffusion.json",
            "diffusion/{table}.json",
            f"{_FORMS}.DiffusionForm",
            components=("denoiser", "diffusion"),
        ),
        # A table of keys only has no weights.
        Content("diffusion", "diffusion.safetensors", "diffusion/{table}.safetensors", is_required=False),
    )
    rows: ClassVar[str] = "tabgraphsyn.stages.latent_rows.LatentRows"
    # Its settings are groups of their own, and what it trained names its samples.
    sampling_keys: ClassVar[tuple[str, ...]] = ("sampler",)
    sections: ClassVar[tuple[Section, ...]] = (
        Section("training.autoencoder", "tabgraphsyn.training.config.LoopConfig", "autoencoder"),
        Section("training.gnn", "tabgraphsyn.training.config.GraphLoopConfig", "gnn"),
        Section("training.diffusion", "tabgraphsyn.training.scoring.ScoredLoopConfig"),
    )
    checks: ClassVar[str] = "tabgraphsyn.generation.bundles.latent_checks.latent_problems"
