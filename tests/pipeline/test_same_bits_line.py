"""The same result on any number of cores: a reviewer with another machine gets the same hashes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_database import tiny_tables, write_csv
from user_commands import Shell, file_hashes

FEW = (
    "dataset=folder", "dataset.path=data", "training=quick", "training.autoencoder.steps=4", "training.gnn.steps=10",
    "autoencoder=vae", "sampling.scale=8", "evaluation=quick", "report=quick", "cluster=inline",
)  # fmt: skip
UNMASKED = ("gnn=gin", "training.absorbing.steps=10")
LATENT = ("model=vae", "training.diffusion.steps=10", "sampler.steps=3")


def hashes(shell: Shell, threads: int, model: tuple[str, ...]) -> dict[str, str]:
    shell.launch(*FEW, *model, f"cluster.threads={threads}", f"output_dir=out-{threads}")
    return {
        name: value
        for name, value in file_hashes(shell.folder / f"out-{threads}" / "stages").items()
        # The report tells how long stages took; a manifest when they ran.
        if "/artifacts/" in name and Path(name).name not in ("report.html", "manifest.json")
    }


@pytest.mark.slow
@pytest.mark.parametrize(("threads", "model"), [(2, LATENT), (3, UNMASKED)], ids=["latent", "unmasked"])
def test_threads_change_no_bit(tmp_path: Path, threads: int, model: tuple[str, ...]):
    tables = tiny_tables()
    write_csv({name: tables[name] for name in ("clerks", "customers", "orders")}, tmp_path / "data")
    shell = Shell(tmp_path, {"OMP_NUM_THREADS": str(threads)})
    one, several = hashes(shell, 1, model), hashes(shell, threads, model)
    assert len(one) > 40 and one.keys() == several.keys()
    assert not [name for name in one if one[name] != several[name]]
