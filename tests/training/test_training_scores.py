"""Scores during training: they see what they should, decide what they should, and change nothing else."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Column, Schema, Table, TableSchema
from tabgraphsyn.diffusion.edm import Edm
from tabgraphsyn.errors import ConfigError, Interrupted
from tabgraphsyn.models.autoencoder.data_space import DataSpace
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.denoiser.mlp import Mlp
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.stages import training_scores
from tabgraphsyn.stages.training_scores import TrainingScores
from tabgraphsyn.training.denoising import DenoisingTask
from tabgraphsyn.training.interrupt import NeverInterrupted
from tabgraphsyn.training.loop import TrainingSummary, train
from tabgraphsyn.training.scoring import NOT_SCORED, ScoredLoopConfig, Scoring

ROWS = 400
COLUMNS = (Column("amount", "numerical"), Column("kind", "categorical"), Column("note", "text"))


@pytest.fixture
def prepare(tmp_path: Path) -> Path:
    """What the prepare stage leaves of one table under a driver relation."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, ROWS)
    values = {
        "amount": pa.array(np.round(10.0 * kind + rng.normal(size=ROWS), 6)),
        "kind": pa.array([f"k{k}" for k in kind]),
        "note": pa.array(["free text"] * ROWS),
    }
    schema = TableSchema("t", COLUMNS)
    table = Table(schema, pa.table(values))
    codec = TableCodec.fit(table, np.ones(ROWS, bool), [column.name for column in COLUMNS], CodecConfig())
    write_json(tmp_path / "schema.json", Schema((schema,)).to_dict())
    write_json(tmp_path / "codec" / "t.json", codec.to_dict())
    encoded = codec.encode(table.read())
    np.save(tmp_path / "numerical.npy", encoded.numerical)
    np.save(tmp_path / "categorical.npy", encoded.categorical)
    return tmp_path


def task_of(prepare: Path) -> DenoisingTask:

    torch.manual_seed(0)
    autoencoder = DataSpace(layout=TableCodec.from_dict(read_json(prepare / "codec" / "t.json")).layout)
    arrays = (torch.from_numpy(np.load(prepare / f"{name}.npy")) for name in ("numerical", "categorical"))
    denoiser = Mlp(
        latent_dim=autoencoder.latent_dim,
        output_dim=autoencoder.output_dim,
        condition_dim=2,
        width=16,
        layers=1,
        exchanges=1,
    )
    return DenoisingTask(
        denoiser=denoiser,
        autoencoder=autoencoder.eval(),
        diffusion=Edm(),
        encoded=EncodedTensors(*arrays),
        condition=RowConditions.alone(torch.zeros(ROWS, 2)),
        families=Families.from_pointer(np.arange(ROWS) // 4, ROWS),
        batch_rows=64,
        seed=3,
    )


def scorer_of(prepare: Path, task: DenoisingTask) -> TrainingScores:
    return TrainingScores.read(Prepared(prepare), "t", task, rows=120, seed=5)


class Tracker:
    def __init__(self) -> None:
        self.lines: dict[int, dict[str, float]] = {}

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.lines.setdefault(step, {}).update(metrics)

    def rewind(self, step: int, recorded: object = None) -> None:
        self.lines = {at: line for at, line in self.lines.items() if at <= step}

    def recorded(self) -> tuple[()]:
        return ()


class AskedAt(NeverInterrupted):
    """Asks to stop once the tracker has seen a step."""

    def __init__(self, tracker: Tracker, step: int) -> None:
        self.tracker, self.step = tracker, step

    @property
    def requested(self) -> bool:  # type: ignore[override]
        return self.step in self.tracker.lines


def trained(
    task: DenoisingTask, folder: Path, scoring: Scoring, stop_at: int = -1, tracker: Tracker | None = None, **settings
) -> TrainingSummary:
    tracker = tracker or Tracker()
    settings = {"steps": 12, "validate_every": 5, "log_every": 4, "ema_decay": 0.9, **settings}
    return train(
        task,
        ScoredLoopConfig(batch_rows=64, learning_rate=0.01, evaluate_every=scoring.every or 1, **settings),
        seed=1,
        checkpoints=folder,
        tracker=tracker,
        interrupt=AskedAt(tracker, stop_at),
        device="cpu",
        log=logging.getLogger("test"),
        scoring=scoring,
    )


def weights(task: DenoisingTask) -> list[torch.Tensor]:
    return [value.detach().clone() for value in task.network.state_dict().values()]


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_looking_changes_nothing(prepare: Path, tmp_path: Path) -> None:
    plain, watched = task_of(prepare), task_of(prepare)
    trained(plain, tmp_path / "plain", NOT_SCORED)
    tracker = Tracker()
    scoring = Scoring(every=3, scores=scorer_of(prepare, watched).scores)
    trained(watched, tmp_path / "watched", scoring, tracker=tracker)
    assert same(weights(plain), weights(watched))
    scored = [step for step, line in tracker.lines.items() if "score/shapes" in line]
    assert scored == [3, 6, 9, 12]
    assert {"score/pair_trends", "score/c2st", "score/copies", "score/dcr_share"} <= set(tracker.lines[12])


def test_a_resumed_run_keeps_the_weights_of_the_best_score(prepare: Path, tmp_path: Path) -> None:
    whole, cut = task_of(prepare), task_of(prepare)
    trackers = Tracker(), Tracker()

    def scoring(task: DenoisingTask) -> Scoring:
        return Scoring(every=3, best_on="shapes", scores=scorer_of(prepare, task).scores)

    straight = trained(whole, tmp_path / "whole", scoring(whole), tracker=trackers[0])
    with pytest.raises(Interrupted):
        trained(cut, tmp_path / "cut", scoring(cut), stop_at=6, tracker=trackers[1])
    again = task_of(prepare)
    resumed = trained(again, tmp_path / "cut", scoring(again), tracker=trackers[1])
    assert resumed.result() == straight.result()
    assert same(weights(whole), weights(again))
    shapes = {step: line["score/shapes"] for step, line in trackers[0].lines.items() if "score/shapes" in line}
    assert straight.best_validation == max(shapes.values()) == shapes[straight.best_step]
    assert {step: line["score/shapes"] for step, line in trackers[1].lines.items() if "score/shapes" in line} == shapes


def test_patience_waits_for_the_score_that_decides(prepare: Path, tmp_path: Path) -> None:
    values = iter([0.5, 0.7, 0.6, 0.7, 0.9, 0.9])
    scoring = Scoring(every=2, best_on="shapes", scores=lambda step: {"shapes": next(values)})
    summary = trained(task_of(prepare), tmp_path / "run", scoring, patience=2, validate_every=1)
    assert (summary.steps, summary.best_step, summary.best_validation) == (8, 4, 0.7)


def test_a_copy_and_noise_are_told_apart(prepare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(prepare)
    scorer = scorer_of(prepare, task)
    with torch.no_grad():
        seen = torch.from_numpy(np.setdiff1d(np.arange(ROWS), task.families.batch(task.validation_windows)[0].numpy()))
        clean = task.autoencoder.encode(task.encoded.middle(seen))
    monkeypatch.setattr(training_scores, "generate_latents", lambda **_: clean[:120])
    copied = scorer.scores(0)
    assert copied["copies"] > 0.95 and copied["copies_unseen"] < 0.1 and copied["dcr_share"] > 0.95
    assert copied["shapes"] > 0.9
    noise = torch.randn(120, task.autoencoder.latent_dim, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(training_scores, "generate_latents", lambda **_: noise)
    drawn = scorer.scores(0)
    assert drawn["copies"] < 0.05 and drawn["c2st"] > copied["c2st"]
    assert drawn["pair_trends"] < copied["pair_trends"]


def test_the_same_weights_get_the_same_scores(prepare: Path) -> None:
    task = task_of(prepare)
    assert scorer_of(prepare, task).scores(1) == scorer_of(prepare, task).scores(2)


def test_c2st_below_chance_is_no_gain() -> None:
    scoring = Scoring(every=1, best_on="c2st")
    assert scoring.is_better(0.6, None) and scoring.is_better(0.5, 0.6)
    assert not scoring.is_better(0.3, 0.5) and not scoring.is_better(0.3, 0.2)
    loss = Scoring()
    assert loss.is_better(1.0, 2.0) and not loss.is_better(2.0, 2.0)


def test_what_cannot_decide_is_refused_with_what_to_do() -> None:
    settings = {"steps": 1, "batch_rows": 1, "learning_rate": 1.0}
    with pytest.raises(ConfigError, match="Did you mean 'shapes'"):
        ScoredLoopConfig(**settings, evaluate_every=1, best_on="shape")
    with pytest.raises(ConfigError, match="never computed with evaluate_every=0"):
        ScoredLoopConfig(**settings, best_on="c2st")
    with pytest.raises(ConfigError, match="evaluate_every"):
        ScoredLoopConfig(**settings, evaluate_every=-1)
