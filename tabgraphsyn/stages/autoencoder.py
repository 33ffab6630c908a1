"""Stage ``autoencoder``: one table's columns to latents and back, trained where there is something to train."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.files import read_json, write_json, written_aside
from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.errors import StageError
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.stages.fitting import fit
from tabgraphsyn.stages.starting import start_from
from tabgraphsyn.stages.weights import with_weights, write_weights
from tabgraphsyn.training.loop import LoopConfig, TrainingSummary
from tabgraphsyn.training.reconstruction import ReconstructionTask

NAME = "autoencoder"
CHUNK_ROWS = 16_384
SCALE_ROWS = 200_000


def run(context: StageContext) -> None:
    """Write ``autoencoder.json``, ``autoencoder.safetensors`` and ``latents.npy`` (training rows, latent_dim)."""
    table, config = str(context.table), dict(context.config["autoencoder"])
    prepared, device = Prepared(context.input("prepare")), context.resources.device
    layout = prepared.layout(table)
    # Mapped copy-on-write: rows are read as batches need them, and torch gets the writable memory it wants.
    encoded = EncodedTensors.from_encoded(prepared.encoded(table, is_mapped=True))
    seed = derive_seed(int(context.config["seed"]), "autoencoder", table)
    torch.manual_seed(seed)
    autoencoder: Autoencoder = build(config, Autoencoder, allow_targets=context.allow_targets, layout=layout)
    summary = _train(context, autoencoder, encoded, seed) if autoencoder.is_trained else None
    autoencoder.to(device).eval()
    if autoencoder.is_trained:
        autoencoder.fit_latent_scale(_sample_of_latents(autoencoder, encoded, seed, device))
    _write_latents(context.artifacts / "latents.npy", autoencoder, encoded, device)
    write_weights(autoencoder, context.artifacts / f"{NAME}.safetensors")
    write_json(
        context.artifacts / f"{NAME}.json",
        {
            "table": table,
            "autoencoder": config,
            "layout": layout.to_dict(),
            "latent_dim": autoencoder.latent_dim,
            "output_dim": autoencoder.output_dim,
            "training": None if summary is None else summary.result(),
        },
    )


def load_autoencoder(folder: Path, table: str = NAME, *, allow_targets: tuple[str, ...] = ()) -> Autoencoder:
    """Return the autoencoder that ``run`` wrote, in eval mode on the CPU.

    Args:
        folder: a stage's artifacts, or the bundle's ``autoencoder/`` folder.
        table: the name of its files there; in a bundle the table's.
        allow_targets: packages besides tabgraphsyn whose components may be built.

    Raises:
        StageError: a file is missing.
        DataError: weights that do not fit the config.
    """
    missing = [name for name in (f"{table}.json", f"{table}.safetensors") if not (folder / name).is_file()]
    if missing:
        raise StageError(f"{folder}: no {missing[0]}; expected the artifacts of an autoencoder stage or a bundle.")
    saved: dict[str, Any] = read_json(folder / f"{table}.json")
    layout = TableLayout.from_dict(saved["layout"])
    autoencoder: Autoencoder = with_weights(
        lambda: build(saved["autoencoder"], Autoencoder, allow_targets=allow_targets, layout=layout),
        folder / f"{table}.safetensors",
    )
    return autoencoder.eval()


def _train(context: StageContext, autoencoder: Autoencoder, encoded: EncodedTensors, seed: int) -> TrainingSummary:
    loop = LoopConfig(**context.config["training"]["autoencoder"])
    start_from(autoencoder, context, NAME)
    task = ReconstructionTask(autoencoder, encoded, loop.batch_rows, seed, context.resources.device)
    return fit(context, task, loop, seed)


@torch.no_grad()
def _encode(autoencoder: Autoencoder, encoded: EncodedTensors, rows: Tensor, device: str) -> Iterator[Tensor]:
    """Yield the latents of ``rows`` in order, numbers in the middle of their intervals, a chunk at a time."""
    for chunk in rows.split(CHUNK_ROWS):
        yield autoencoder.encode(encoded.middle(chunk).to(device)).float()


def _sample_of_latents(autoencoder: Autoencoder, encoded: EncodedTensors, seed: int, device: str) -> Tensor:
    """Return latents of at most ``SCALE_ROWS`` rows."""
    rows = np.arange(encoded.rows)
    if encoded.rows > SCALE_ROWS:
        rows = np.sort(numpy_generator(seed, "scale").choice(encoded.rows, SCALE_ROWS, replace=False))
    return torch.cat(list(_encode(autoencoder, encoded, torch.from_numpy(rows), device)))


def _write_latents(path: Path, autoencoder: Autoencoder, encoded: EncodedTensors, device: str) -> None:
    """Write the latents of all rows as they are encoded; a whole table is never in memory."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (encoded.rows, autoencoder.latent_dim)}
    with written_aside(path) as aside, aside.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        for latents in _encode(autoencoder, encoded, torch.arange(encoded.rows), device):
            if not torch.isfinite(latents).all():
                raise StageError(f"{path}: latents that are not finite. Lower training.autoencoder.learning_rate.")
            handle.write(latents.cpu().numpy().astype("<f4").tobytes())
