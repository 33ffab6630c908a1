"""What generators that condition their rows on the foreign-key graph share: a graph network over rows as latents.

The stages are the same whatever reads them, so that one trained network serves several generators.
"""

from __future__ import annotations

from tabgraphsyn.generators.base import Content, Section
from tabgraphsyn.generators.kinds import StageInput, StageKind

PREPARE = StageInput("prepare")
FORMS = "tabgraphsyn.generation.bundles.latent_forms"

AUTOENCODER = StageKind(
    name="autoencoder",
    version=2,
    module="tabgraphsyn.stages.autoencoder",
    config_keys=("autoencoder", "training.autoencoder", "seed"),
    inputs=(PREPARE,),
    per_table=True,
    is_resumable=True,
    trains=True,
)

GNN = StageKind(
    name="gnn",
    version=3,
    module="tabgraphsyn.stages.gnn",
    config_keys=("gnn", "training.gnn", "seed"),
    inputs=(PREPARE, StageInput("autoencoder", "all")),
    is_resumable=True,
    trains=True,
)

CONTENTS = (
    Content("gnn", "gnn.json", "gnn.json", f"{FORMS}.GnnForm", components=("gnn",)),
    Content("gnn", "gnn.safetensors", "gnn.safetensors"),
    Content(
        "autoencoder",
        "autoencoder.json",
        "autoencoder/{table}.json",
        f"{FORMS}.AutoencoderForm",
        components=("autoencoder",),
    ),
    Content("autoencoder", "autoencoder.safetensors", "autoencoder/{table}.safetensors"),
)

SECTIONS = (
    Section("training.autoencoder", "tabgraphsyn.training.config.LoopConfig", "autoencoder"),
    Section("training.gnn", "tabgraphsyn.training.config.GraphLoopConfig", "gnn"),
)
