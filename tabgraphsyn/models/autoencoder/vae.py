"""The variational autoencoder of a table: a transformer over column tokens (TabSyn, arXiv 2310.09656)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.diffusion.preconditioning import denoised_from_raw, output_scaling, skip_scaling
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.autoencoder.tokenizer import ColumnReader, ColumnTokenizer, TransformerLayer
from tabgraphsyn.models.batch import EncodedBatch, is_present
from tabgraphsyn.ranges import Count, Layers, NotNegative, Share, ShareBelowOne, Width

SIGMA_DATA = 1.0
# A dimension that the posterior has let go keeps its small spread: scaled up, its noise would be learnt as data.
_LEAST_SCALE = 0.05


class VAE(Autoencoder):
    """Latents are the posterior means of a small Gaussian per column, standardised over the training rows.

    The weight of the KL term starts at ``beta_start`` and is multiplied by ``beta_decay`` whenever the reconstruction
    of the last ``plateau_steps`` steps is no better than the best before, down to ``beta_least``. Its state is held
    in buffers, so checkpoints keep it.

    Args:
        layout: fields of the encoded table (runtime).
        token_dim: width of the latent of one column.
        width: width of the tokens inside the transformers.
        layers: transformer layers of the encoder, and of the decoder.
        heads: attention heads.
        feedforward: width of the feed-forward networks.
        dropout: in attention and feed-forward networks.
        beta_start, beta_decay, beta_least, plateau_steps: the weight of the KL term, see above.
        plateau_gain: relative improvement that counts as one.
        draw_categories: draw levels from the decoded probabilities; otherwise take the likeliest.
    """

    gates: Tensor
    latent_mean: Tensor
    latent_scale: Tensor
    beta: Tensor
    best_window: Tensor
    window_sum: Tensor
    window_steps: Tensor

    def __init__(
        self,
        *,
        layout: TableLayout,
        token_dim: Width = 4,
        width: Width = 32,
        layers: Layers = 2,
        heads: Layers = 1,
        feedforward: Width = 64,
        dropout: ShareBelowOne = 0.0,
        beta_start: NotNegative = 1e-2,
        beta_decay: Share = 0.7,
        beta_least: NotNegative = 1e-5,
        plateau_steps: Count = 100,
        plateau_gain: ShareBelowOne = 0.0,
        draw_categories: bool = False,
    ) -> None:
        super().__init__()
        self.layout, self.token_dim, self.draw_categories = layout, token_dim, draw_categories
        self.fields = len(layout.numerical) + len(layout.categorical)
        self.latent_dim = self.output_dim = self.fields * token_dim
        self.is_trained = not layout.is_empty
        self.beta_decay, self.beta_least = beta_decay, beta_least
        self.plateau_steps, self.plateau_gain = plateau_steps, plateau_gain
        layer = partial(TransformerLayer, width=width, heads=heads, feedforward=feedforward, dropout=dropout)
        self.tokenizer = ColumnTokenizer(layout=layout, width=width)
        self.encoder = nn.Sequential(*(layer() for _ in range(layers)), nn.LayerNorm(width))
        self.posterior = nn.Linear(width, 2 * token_dim)
        self.latent_to_token = nn.Linear(token_dim, width)
        self.decoder_column = nn.Parameter(torch.randn(self.fields, width) / math.sqrt(width))
        self.decoder = nn.Sequential(*(layer() for _ in range(layers)), nn.LayerNorm(width))
        self.reader = ColumnReader(layout=layout, width=width)
        gates = [-1 if field.gate is None else field.gate for field in layout.numerical]
        self.register_buffer("gates", torch.tensor(gates, dtype=torch.int64), persistent=False)
        self.register_buffer("latent_mean", torch.zeros(self.latent_dim))
        self.register_buffer("latent_scale", torch.ones(self.latent_dim))
        self.register_buffer("beta", torch.tensor(beta_start))
        self.register_buffer("best_window", torch.tensor(math.inf))
        self.register_buffer("window_sum", torch.tensor(0.0))
        self.register_buffer("window_steps", torch.tensor(0))

    def _posterior(self, numerical: Tensor, categorical: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log-variances, each (rows, fields, token_dim)."""
        tokens = self.encoder(self.tokenizer(numerical * present, categorical))[:, 1:]
        mean, log_variance = self.posterior(tokens).chunk(2, dim=-1)
        # Beyond these bounds exp() only loses precision.
        return mean, log_variance.clamp(-14.0, 6.0)

    def _columns(self, latents: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return numbers and logits from unscaled latents (rows, fields, token_dim)."""
        return self.reader(self.decoder(self.latent_to_token(latents) + self.decoder_column))

    def forward(
        self, numerical: Tensor, categorical: Tensor, present: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean squared error, the mean cross-entropy and the KL divergence of a batch.

        Shape:
            present: (rows, n_num), 1.0 where the number is meaningful. noise: (rows, fields, token_dim).
        """
        mean, log_variance = self._posterior(numerical, categorical, present)
        numbers, logits = self._columns(mean + noise * (0.5 * log_variance).exp())
        squared = ((numbers - numerical).square() * present).sum() / present.sum().clamp(min=1.0)
        entropy = numbers.new_zeros(())
        for (_, fields), scores in zip(self.reader.blocks, logits, strict=True):
            wanted = categorical[:, list(fields)]
            entropy = entropy + F.cross_entropy(scores.flatten(0, 1), wanted.flatten()) * len(fields)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        return squared, entropy / max(len(self.layout.categorical), 1), kl

    def training_loss(self, batch: EncodedBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return ``loss``, its ``reconstruction`` (free of beta, so comparable over time), ``kl`` and ``beta``."""
        if not self.is_trained:
            return {}
        noise = self._noise(batch, generator).to(self.beta.device)
        squared, entropy, kl = self(batch.numerical, batch.categorical, is_present(batch, self.gates), noise)
        return self._losses(squared + entropy, kl)

    def part_loss(self, batch: EncodedBatch, rows: slice, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the share of some rows in the losses of a batch; each is scalar."""
        noise = self._noise(batch, generator)[rows].to(self.beta.device)
        present = is_present(batch, self.gates)
        squared, entropy, kl = self(batch.numerical[rows], batch.categorical[rows], present[rows], noise)
        # A mean over the rows, and one over the numbers that are present.
        share = noise.shape[0] / batch.rows
        numbers = present[rows].sum().clamp(min=1.0) / present.sum().clamp(min=1.0)
        return self._losses(numbers * squared + share * entropy, share * kl, share)

    def _noise(self, batch: EncodedBatch, generator: torch.Generator) -> Tensor:
        return torch.randn(batch.rows, self.fields, self.token_dim, generator=generator)

    def _losses(self, reconstruction: Tensor, kl: Tensor, share: float = 1.0) -> dict[str, Tensor]:
        # A copy: the buffer may change before the losses are read.
        beta = self.beta.clone()
        return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl, "beta": share * beta}

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Count a step; losses are scalar."""
        self._adapt_beta(losses["reconstruction"])

    @torch.no_grad()
    def _adapt_beta(self, reconstruction: Tensor) -> None:
        """Count a step; at the end of a window lower beta if the window brought nothing. Never waits for a GPU."""
        self.window_sum += reconstruction
        self.window_steps += 1
        is_end = self.window_steps >= self.plateau_steps
        mean = self.window_sum / self.window_steps
        is_better = mean < self.best_window * (1.0 - self.plateau_gain)
        lowered = (self.beta * self.beta_decay).clamp(min=self.beta_least)
        self.beta.copy_(torch.where(is_end & ~is_better, lowered, self.beta))
        self.best_window.copy_(torch.where(is_end, torch.minimum(mean, self.best_window), self.best_window))
        self.window_sum.copy_(torch.where(is_end, torch.zeros_like(mean), self.window_sum))
        self.window_steps.copy_(torch.where(is_end, torch.zeros_like(self.window_steps), self.window_steps))

    def encode(self, batch: EncodedBatch) -> Tensor:
        """Return standardised posterior means, (rows, latent_dim)."""
        if not self.is_trained:
            return batch.numerical.new_zeros(batch.rows, 0)
        mean, _ = self._posterior(batch.numerical, batch.categorical, is_present(batch, self.gates))
        return (mean.flatten(1) - self.latent_mean) / self.latent_scale

    @torch.no_grad()
    def fit_latent_scale(self, latents: Tensor) -> None:
        """Make ``encode`` standardise: from ``latents`` (rows, latent_dim) as it gives them now."""
        if not self.is_trained:
            return
        spread = latents.std(dim=0, correction=0) * self.latent_scale
        self.latent_mean += latents.mean(dim=0) * self.latent_scale
        self.latent_scale.copy_(spread.clamp(min=_LEAST_SCALE))

    def decode(self, latents: Tensor, generator: torch.Generator) -> EncodedBatch:
        """Return numbers, and levels drawn from the decoded probabilities or the likeliest ones.

        Shape:
            from (rows, latent_dim).
        """
        rows = latents.shape[0]
        categorical = torch.zeros(rows, len(self.layout.categorical), dtype=torch.int64)
        if not self.is_trained:
            return EncodedBatch(torch.zeros(rows, 0), categorical)
        unscaled = latents * self.latent_scale + self.latent_mean
        numbers, logits = self._columns(unscaled.unflatten(1, (self.fields, self.token_dim)))
        for (_, fields), scores in zip(self.reader.blocks, logits, strict=True):
            scores = scores.float().cpu()
            if self.draw_categories:
                # Gumbel's trick: the argmax of logits plus -log(exponential noise) is a draw.
                scores = scores - torch.empty_like(scores).exponential_(generator=generator).log()
            categorical[:, list(fields)] = scores.argmax(dim=-1)
        return EncodedBatch(numbers.float().cpu(), categorical)

    def denoised(self, raw: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
        """Return EDM's denoised latents, (rows, latent_dim)."""
        return denoised_from_raw(raw, noisy, sigma, SIGMA_DATA)

    def diffusion_loss(self, raw: Tensor, noisy: Tensor, sigma: Tensor, clean: Tensor, batch: EncodedBatch) -> Tensor:
        """Return per row EDM's weighted squared error: the raw output against its unit-variance target."""
        wanted = (clean - skip_scaling(sigma, SIGMA_DATA) * noisy) / output_scaling(sigma, SIGMA_DATA)
        return (raw - wanted).square().sum(dim=1) / max(self.latent_dim, 1)
