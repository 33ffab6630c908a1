"""No encoder: normalised numbers and category codes are the latents, categories get cross-entropy heads.

Source: analog bits and categorical diffusion with score interpolation (Chen et al. 2023, arXiv 2208.04202;
Dieleman et al. 2022, arXiv 2211.15089): the denoised value of a category is the average of its codes under the
predicted distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.diffusion.preconditioning import denoised_from_raw, output_scaling, skip_scaling
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedBatch, is_present
from tabgraphsyn.ranges import Levels, NotNegative, Scale, Width

SIGMA_DATA = 1.0
OUTPUT_MULTIPLE = 16


@dataclass(frozen=True)
class CodeBlock:
    """Categorical fields with the same number of levels, side by side in the latents and in the raw output.

    Attributes:
        fields: indices into the layout's categorical fields.
        levels: number of levels of each.
        code_dim: width of one category's code.
        one_hot: True where the codes are centred unit vectors.
        latent_start: first column of the block.
    """

    fields: tuple[int, ...]
    levels: int
    code_dim: int
    one_hot: bool
    latent_start: int

    @property
    def latent_columns(self) -> slice:
        """Columns of the latents that hold the codes."""
        return slice(self.latent_start, self.latent_start + len(self.fields) * self.code_dim)

    @property
    def logits(self) -> int:
        """Number of columns of the raw output."""
        return len(self.fields) * self.levels


def _centred_one_hot(levels: int, scale: float) -> Tensor:
    return scale * (torch.eye(levels) - 1.0 / levels)


def _random_codes(levels: int, code_dim: int, seed: int) -> Tensor:
    """Unit-variance codes, all of the same length, the same in every process."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(levels, code_dim, generator=generator)
    return F.normalize(codes - codes.mean(dim=0), dim=1) * math.sqrt(code_dim)


class DataSpace(Autoencoder):
    """Latents are the encoded columns themselves.

    A category's logits are the network's output plus the exact Gaussian log-likelihood of its noisy code, so the
    network only has to learn what the rest of the row, the siblings and the condition say about it.

    Args:
        layout: fields of the encoded table (runtime).
        code_scale: distance scale of one-hot codes; two codes are ``sqrt(2) * code_scale`` apart.
        max_one_hot: fields with more levels get random codes of ``code_dim`` numbers.
        code_dim: width of a random code.
        category_weight: weight of a cross-entropy against a number's squared error.
    """

    is_trained = False
    gates: Tensor

    def __init__(
        self,
        *,
        layout: TableLayout,
        code_scale: Scale = 2.0,
        max_one_hot: Levels = 50,
        code_dim: Width = 24,
        category_weight: NotNegative = 1.0,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.category_weight = category_weight
        self.code_scale = code_scale
        self.numbers = len(layout.numerical)
        self.blocks: list[CodeBlock] = []
        by_levels: dict[int, list[int]] = {}
        for index, field in enumerate(layout.categorical):
            by_levels.setdefault(field.levels, []).append(index)
        latent = self.numbers
        for levels, fields in sorted(by_levels.items()):
            one_hot = levels <= max_one_hot
            width = levels if one_hot else min(code_dim, levels)
            codes = _centred_one_hot(levels, code_scale) if one_hot else _random_codes(levels, width, seed=levels)
            self.register_buffer(f"codes_{len(self.blocks)}", codes, persistent=True)
            self.blocks.append(CodeBlock(tuple(fields), levels, width, one_hot, latent))
            latent += len(fields) * width
        self.latent_dim = latent
        self._parts = [self.numbers, *(block.logits for block in self.blocks)]
        # Columns that nobody reads: matrices of another width take a CPU up to twice as long.
        self._parts.append(-sum(self._parts) % OUTPUT_MULTIPLE)
        self.output_dim = sum(self._parts)
        gates = [-1 if field.gate is None else field.gate for field in layout.numerical]
        self.register_buffer("gates", torch.tensor(gates, dtype=torch.int64), persistent=False)

    def _codes(self, number: int) -> Tensor:
        return getattr(self, f"codes_{number}")

    def encode(self, batch: EncodedBatch) -> Tensor:
        """Return numbers and codes side by side, (rows, latent_dim)."""
        parts = [batch.numerical]
        for number, block in enumerate(self.blocks):
            chosen = batch.categorical[:, list(block.fields)]
            parts.append(self._codes(number)[chosen].flatten(1))
        return torch.cat(parts, dim=1)

    def decode(self, latents: Tensor, generator: torch.Generator) -> EncodedBatch:
        """Return the numbers, and for each category the level with the nearest code; from (rows, latent_dim)."""
        categorical = torch.zeros(latents.shape[0], len(self.layout.categorical), dtype=torch.int64)
        for number, block in enumerate(self.blocks):
            nearest = self._products(number, block, latents).argmax(dim=-1)
            categorical[:, list(block.fields)] = nearest.cpu()
        return EncodedBatch(latents[:, : self.numbers].float().cpu(), categorical)

    def training_loss(self, batch: EncodedBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return nothing: there is nothing to train; otherwise scalar losses."""
        return {}

    def _products(self, number: int, block: CodeBlock, noisy: Tensor) -> Tensor:
        """Return ``x . e_k`` of each level over ``_factor``, up to a number per field: (rows, fields, levels).

        The log-likelihood of a level is ``(x . e_k - |e_k|^2 / 2) / sigma^2``, and all codes of a field have one
        length. One matrix product for all rows: a product per row takes several times as long.
        """
        x = noisy[:, block.latent_columns].unflatten(1, (len(block.fields), block.code_dim))
        if block.one_hot:
            return x
        return (x.flatten(0, 1) @ self._codes(number).T).unflatten(0, (-1, len(block.fields)))

    def _factor(self, block: CodeBlock) -> float:
        return self.code_scale if block.one_hot else 1.0

    def _logits(self, number: int, block: CodeBlock, part: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
        network = part.unflatten(1, (len(block.fields), block.levels))
        products = self._products(number, block, noisy)
        return torch.addcdiv(network, products, sigma.square().unsqueeze(-1), value=self._factor(block))

    def denoised(self, raw: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
        """Return EDM's denoised numbers and the average codes, (rows, latent_dim)."""
        numbers, *logits = raw.split(self._parts, dim=1)
        parts = [denoised_from_raw(numbers, noisy[:, : self.numbers], sigma, SIGMA_DATA)]
        for number, block in enumerate(self.blocks):
            probabilities = F.softmax(self._logits(number, block, logits[number], noisy, sigma), dim=-1)
            if block.one_hot:
                average = self.code_scale * (probabilities - 1.0 / block.levels)
            else:
                average = probabilities @ self._codes(number)
            parts.append(average.flatten(1))
        return torch.cat(parts, dim=1)

    def diffusion_loss(self, raw: Tensor, noisy: Tensor, sigma: Tensor, clean: Tensor, batch: EncodedBatch) -> Tensor:
        """Return per row the mean over fields of squared error (numbers) and cross-entropy (categories)."""
        fields = self.numbers + len(self.layout.categorical)
        loss = raw.new_zeros(raw.shape[0])
        numbers, *logits = raw.split(self._parts, dim=1)
        if self.numbers:
            wanted = clean[:, : self.numbers] - skip_scaling(sigma, SIGMA_DATA) * noisy[:, : self.numbers]
            error = (numbers - wanted / output_scaling(sigma, SIGMA_DATA)).square()
            loss = loss + (error * is_present(batch, self.gates)).sum(dim=1)
        for number, block in enumerate(self.blocks):
            chosen = batch.categorical[:, list(block.fields)]
            found = self._logits(number, block, logits[number], noisy, sigma).flatten(0, 1)
            entropy = F.cross_entropy(found, chosen.flatten(), reduction="none").view(chosen.shape)
            loss = loss + self.category_weight * entropy.sum(dim=1)
        return loss / max(fields, 1)
