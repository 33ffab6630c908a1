"""What a training run must remember to go on as if it had never stopped."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tabgraphsyn.errors import StageError, listing, raise_collected
from tabgraphsyn.training.adamw import AdamW
from tabgraphsyn.training.config import LoopConfig
from tabgraphsyn.training.ema import WeightAverage


@dataclass
class Progress:
    """Plain counters of a run.

    Attributes:
        step: optimizer steps taken.
        rows: rows consumed, the data position.
        seconds: time spent training, over all attempts.
        best_step: step of the best validation, 0 before the first.
        best_validation: its loss or score, None before the first.
        validations_without_gain: since the best one.
        counts: per metric, steps in the running sum since the last line of metrics.
    """

    step: int = 0
    rows: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best_validation: float | None = None
    validations_without_gain: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class TrainingState:
    """Network, optimizer, averaged and best weights, running sums of metrics, and counters.

    Buffers of the network are kept too, so a loss that adapts itself (a KL weight) holds its state in buffers.
    """

    def __init__(self, network: nn.Module, config: LoopConfig, device: str) -> None:
        self.parameters = dict(network.named_parameters())
        persistent = set(network.state_dict(keep_vars=True))
        self.buffers = {name: value for name, value in network.named_buffers() if name in persistent}
        self.average = WeightAverage(list(self.parameters.values()), config.ema_decay)
        self.best: dict[str, Tensor] = {}
        self.sums: dict[str, Tensor] = {}
        self.progress = Progress()
        self.optimizer = AdamW(
            {name: value for name, value in self.parameters.items() if value.requires_grad},
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        self.device = device

    def keep_best(self) -> None:
        """Remember the averaged weights, and the buffers, as the best so far."""
        current = dict(zip(self.parameters, self.average.values, strict=True)) | self.buffers
        if not self.best:
            self.best = {name: value.detach().clone() for name, value in current.items()}
        else:
            for name, value in current.items():
                self.best[name].copy_(value.detach())

    @torch.no_grad()
    def put_result_in_place(self) -> None:
        """Overwrite the network's weights with the best ones, or with the average where nothing was validated."""
        if not self.best:
            self.average.put_in_place()
            return
        for name, value in (self.parameters | self.buffers).items():
            value.copy_(self.best[name])

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return everything that is a tensor, by checkpoint file and name; of any shape."""
        return {
            "model": {name: value.detach() for name, value in (self.parameters | self.buffers).items()},
            "ema": dict(zip(self.parameters, self.average.values, strict=True)),
            "best": self.best,
            "optimizer": self.optimizer.tensors(),
            "loop": {f"sum/{name}": value for name, value in self.sums.items()} | _rng_tensors(self.device),
        }

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any], folder: Path) -> None:
        """Take over a checkpoint, of the same shape.

        Raises:
            StageError: the checkpoint belongs to another network; all differences at once.
        """
        current = self.parameters | self.buffers
        problems = _differences(current, tensors["model"])
        raise_collected(
            StageError,
            [f"{folder}: {text} Delete the checkpoints folder to start anew." for text in problems],
        )
        for name, value in current.items():
            value.copy_(tensors["model"][name])
        for name, average in zip(self.parameters, self.average.values, strict=True):
            average.copy_(tensors["ema"][name])
        self.best = {name: value.to(self.device) for name, value in tensors["best"].items()}
        loop = tensors["loop"]
        self.progress = Progress(**state["progress"])
        # Their order is the order in which a line names them; a file of tensors has its own.
        self.sums = {name: loop[f"sum/{name}"].to(self.device) for name in self.progress.counts}
        self.optimizer.restore(tensors["optimizer"])
        _restore_rng(loop, self.device)

    def progress_dict(self) -> dict[str, Any]:
        """Return the counters as json values."""
        return asdict(self.progress)


def _differences(current: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> list[str]:
    problems = []
    if missing := sorted(set(current) - set(saved)):
        problems.append(f"the network has {listing(missing)}, which the checkpoint lacks.")
    if surplus := sorted(set(saved) - set(current)):
        problems.append(f"the checkpoint has {listing(surplus)}, which the network lacks.")
    problems += [
        f"{name!r} has shape {tuple(saved[name].shape)} in the checkpoint and {tuple(value.shape)} in the network."
        for name, value in current.items()
        if name in saved and saved[name].shape != value.shape
    ]
    return problems


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _rng_tensors(device: str) -> dict[str, Tensor]:
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    tensors = {
        "rng/torch": torch.get_rng_state(),
        # Python's spare gaussian is None or a float; NaN stands for None.
        "rng/python": torch.tensor([version, *words], dtype=torch.int64),
        "rng/python_gauss": torch.tensor(float("nan") if gauss is None else gauss, dtype=torch.float64),
        "rng/numpy": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        "rng/numpy_rest": torch.tensor([position, has_gauss, cached], dtype=torch.float64),
    }
    if device != "cpu":
        tensors["rng/cuda"] = torch.cuda.get_rng_state()
    return tensors


def _restore_rng(tensors: Mapping[str, Tensor], device: str) -> None:
    torch.set_rng_state(tensors["rng/torch"])
    version, *words = tensors["rng/python"].tolist()
    gauss = tensors["rng/python_gauss"].item()
    random.setstate((version, tuple(words), None if gauss != gauss else gauss))
    position, has_gauss, cached = tensors["rng/numpy_rest"].tolist()
    keys = tensors["rng/numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), cached))
    if device != "cpu" and "rng/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng/cuda"])


@contextmanager
def random_state_kept(device: str) -> Iterator[None]:
    """Give Python's, numpy's and torch's global generators back as they were, whatever the block draws."""
    kept = _rng_tensors(device)
    try:
        yield
    finally:
        _restore_rng(kept, device)


def add_to_sums(sums: dict[str, Tensor], counts: dict[str, int], losses: Iterable[tuple[str, Tensor]]) -> None:
    """Add losses to running sums on their device, without waiting for the device; they are scalar."""
    for name, value in losses:
        if name not in sums:
            sums[name] = torch.zeros((), dtype=torch.float64, device=value.device)
            counts[name] = 0
        sums[name].add_(value.detach())
        counts[name] += 1
