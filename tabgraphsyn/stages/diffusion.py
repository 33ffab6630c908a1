"""Stage ``diffusion``: trains the denoiser of one table under the conditions of the graph network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.known.rows import known_rows
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.diffusion.edm import Edm
from tabgraphsyn.generation.rows import TableModel
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.stages.autoencoder import load_autoencoder
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.stages.fitting import fit
from tabgraphsyn.stages.starting import start_from
from tabgraphsyn.stages.weights import with_weights, write_weights
from tabgraphsyn.training.budget import within_budget
from tabgraphsyn.training.denoising import DenoisingTask
from tabgraphsyn.training.scoring import NOT_SCORED, VALIDATION, ScoredLoopConfig, Scoring


def run(context: StageContext) -> None:
    """Train the table's denoiser and write ``diffusion.json`` and ``diffusion.safetensors``.

    A table without anything to model (keys only), or too small to learn from, gets the json alone.
    """
    table, prepared = str(context.table), Prepared(context.input("prepare"))
    autoencoder = load_autoencoder(context.input(f"autoencoder/{table}"))
    settings = {key: context.config[key] for key in ("denoiser", "diffusion")}
    is_coarse = table in prepared.plan.coarse
    if autoencoder.latent_dim == 0 or is_coarse:
        _write(context, {"table": table, "condition_dim": 0, "training": None, **settings}, None)
        return
    seed = derive_seed(int(context.config["seed"]), "diffusion", table)
    condition = _conditions(prepared, context.input("gnn"), table)
    diffusion: Edm = build(settings["diffusion"], Edm, allow_targets=context.allow_targets)
    torch.manual_seed(seed)
    denoiser = _denoiser(settings["denoiser"], autoencoder, condition.width, context.allow_targets)
    start_from(denoiser, context, "diffusion")
    families = table_families(prepared, table, len(condition), prepared.pointer, diffusion)
    loop = ScoredLoopConfig(**context.config["training"]["diffusion"])
    loop = within_budget(loop, families, diffusion, is_composed=condition.is_composed)
    task = DenoisingTask(
        denoiser=denoiser,
        autoencoder=autoencoder.to(context.resources.device).eval(),
        diffusion=diffusion,
        encoded=EncodedTensors.from_encoded(prepared.encoded(table)),
        condition=condition,
        families=families,
        batch_rows=loop.batch_rows,
        seed=seed,
        device=context.resources.device,
    )
    scoring = _scoring(context, prepared, task, loop, seed)
    summary = fit(context, task, loop, seed, scoring)
    record = {
        "table": table,
        "condition_dim": condition.width,
        "training": {**summary.result(), "best_on": scoring.best_on},
        **settings,
    }
    _write(context, record, denoiser)


def _scoring(
    context: StageContext, prepared: Prepared, task: DenoisingTask, loop: ScoredLoopConfig, seed: int
) -> Scoring:
    """Return when and by what this training is scored; a table without the score goes by its validation loss."""
    if loop.evaluate_every == 0:
        return NOT_SCORED
    # Imported here: a training that is not scored needs neither XGBoost nor pandas.
    from tabgraphsyn.stages.training_scores import TrainingScores

    table, derived = str(context.table), derive_seed(seed, "scores")
    scorer = TrainingScores.read(prepared, table, task, loop.evaluate_rows, derived)
    best_on = loop.best_on
    if best_on != VALIDATION and best_on not in scorer.available:
        context.log.warning("%s has no %s to go by; the validation loss decides what is kept.", table, best_on)
        best_on = VALIDATION
    return Scoring(every=loop.evaluate_every, best_on=best_on, scores=scorer.scores)


def load_table_model(
    folder: Path, table: str, autoencoder: Autoencoder, allow_targets: tuple[str, ...] = ()
) -> TableModel | None:
    """Return the model that ``run`` wrote to ``folder``, None for a table without anything to model.

    Args:
        folder: holds ``diffusion.json`` and ``diffusion.safetensors``, or ``<table>.json`` and so on in a bundle.
        table: the table's name.
        autoencoder: the one that the denoiser was trained on.
        allow_targets: packages besides tabgraphsyn whose components may be built.

    Raises:
        DataError: weights that do not fit the config.
    """
    name = table if (folder / f"{table}.json").exists() else "diffusion"
    record = read_json(folder / f"{name}.json")
    if record["training"] is None:
        return None
    denoiser = with_weights(
        lambda: _denoiser(record["denoiser"], autoencoder, int(record["condition_dim"]), allow_targets),
        folder / f"{name}.safetensors",
    )
    return TableModel(autoencoder, denoiser, build(record["diffusion"], Edm, allow_targets=allow_targets))


def _denoiser(
    config: Mapping[str, Any], autoencoder: Autoencoder, condition_dim: int, allow_targets: tuple[str, ...]
) -> Denoiser:
    return build(
        config,
        Denoiser,
        allow_targets=allow_targets,
        latent_dim=autoencoder.latent_dim,
        output_dim=autoencoder.output_dim,
        condition_dim=condition_dim,
    )


def _conditions(prepared: Prepared, gnn: Path, table: str) -> RowConditions:
    graph = torch.from_numpy(np.load(gnn / "condition" / f"{table}.npy"))
    return RowConditions.of(graph, *known_rows(prepared, prepared, table, graph.shape[0]))


def table_families(
    prepared: Prepared, table: str, rows: int, pointer: Callable[[str], np.ndarray], diffusion: Edm
) -> Families:
    """Return the families in which a table's rows are denoised, in training and in sampling.

    Rows under a reference table are no family: thousands of rows, of which a place names one, and a window of
    neighbours that are drawn together says less about the whole table than rows drawn one by one.

    Args:
        prepared: schema and plan.
        table: the table.
        rows: number of its rows.
        pointer: relation -> parent row per child row, (rows,) int64.
        diffusion: says how large a window may be.
    """
    driver = prepared.plan.driver[table]
    if driver is None or prepared.schema.relation(driver).parent_table in prepared.plan.reference_tables:
        return Families.from_pointer(None, rows)
    return Families.from_pointer(pointer(driver), rows, diffusion.window_limit)


def _write(context: StageContext, record: Mapping[str, Any], denoiser: Denoiser | None) -> None:
    # One round through json: what a bundle reads is what was written, tuples and all.
    write_json(context.artifacts / "diffusion.json", json.loads(json.dumps(record)))
    if denoiser is not None:
        write_weights(denoiser, context.artifacts / "diffusion.safetensors")
