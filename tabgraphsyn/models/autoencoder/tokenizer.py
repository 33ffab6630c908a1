"""Columns to tokens, tokens to columns, and the transformer between them (FT-transformer, arXiv 2106.11959)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.data.layout import TableLayout


class ColumnTokenizer(nn.Module):
    """A token per field, numbers first: ``value * weight + column token`` or ``level's embedding + column token``.

    Args:
        layout: fields of the table.
        width: width of a token.
    """

    level_start: Tensor

    def __init__(self, *, layout: TableLayout, width: int) -> None:
        super().__init__()
        numbers, fields = len(layout.numerical), len(layout.numerical) + len(layout.categorical)
        levels = [field.levels for field in layout.categorical]
        self.number_weight = nn.Parameter(_uniform(numbers, width))
        self.level_embedding = nn.Parameter(_uniform(sum(levels), width))
        self.column_token = nn.Parameter(_uniform(fields, width))
        self.cls_token = nn.Parameter(_uniform(1, width))
        self.register_buffer("level_start", _starts(levels), persistent=False)

    def forward(self, numerical: Tensor, categorical: Tensor) -> Tensor:
        """Return tokens, [CLS] first.

        Shape:
            numerical: (rows, n_num). categorical: (rows, n_cat) int64. returns: (rows, 1 + n_num + n_cat, width).
        """
        numbers = numerical.unsqueeze(-1) * self.number_weight
        levels = F.embedding(categorical + self.level_start, self.level_embedding)
        columns = torch.cat([numbers, levels], dim=1) + self.column_token
        return torch.cat([self.cls_token.expand(columns.shape[0], 1, -1), columns], dim=1)


class ColumnReader(nn.Module):
    """From a token per field back to a number or to the logits of its levels.

    Fields with the same number of levels are read by one product.
    """

    def __init__(self, *, layout: TableLayout, width: int) -> None:
        super().__init__()
        self.numbers = len(layout.numerical)
        self.number_weight = nn.Parameter(_uniform(self.numbers, width))
        self.number_bias = nn.Parameter(torch.zeros(self.numbers))
        by_levels: dict[int, list[int]] = {}
        for index, field in enumerate(layout.categorical):
            by_levels.setdefault(field.levels, []).append(index)
        self.blocks = tuple((levels, tuple(fields)) for levels, fields in sorted(by_levels.items()))
        self.level_weights = nn.ParameterList(
            [_uniform(len(f) * n, width).view(len(f), n, width) for n, f in self.blocks]
        )
        self.level_biases = nn.ParameterList([torch.zeros(len(f), n) for n, f in self.blocks])

    def forward(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return numbers, and logits per block of fields.

        Shape:
            tokens: (rows, n_num + n_cat, width). returns: (rows, n_num), and per block (rows, fields, levels).
        """
        numbers = (tokens[:, : self.numbers] * self.number_weight).sum(dim=-1) + self.number_bias
        logits = [
            torch.einsum("rfw,flw->rfl", tokens[:, [self.numbers + field for field in fields]], weight) + bias
            for (_, fields), weight, bias in zip(self.blocks, self.level_weights, self.level_biases, strict=True)
        ]
        return numbers, logits


class TransformerLayer(nn.Module):
    """Self-attention between the tokens of a row, then a feed-forward network; normalised before each."""

    def __init__(self, *, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, feedforward),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward, width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape, (rows, tokens, width)."""
        joined = self.query_key_value(self.attention_norm(tokens))
        query, key, value = joined.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        tokens = tokens + self.attention_out(mixed.transpose(1, 2).flatten(2))
        return tokens + self.feedforward(tokens)


def _uniform(rows: int, width: int) -> Tensor:
    bound = 1 / math.sqrt(width)
    return torch.empty(rows, width).uniform_(-bound, bound)


def _starts(levels: list[int]) -> Tensor:
    """Return where each field's levels begin in the joint table of embeddings."""
    return torch.tensor([0, *levels[:-1]][: len(levels)], dtype=torch.int64).cumsum(0)
