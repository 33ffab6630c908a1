"""A gated recurrent unit over many short sequences at once, with few operations a position.

Batches of rows are small, so that what each operation costs besides its arithmetic decides: torch's own unit takes some
thirty a position, forwards and backwards. Here a position takes a dozen, sequences that have ended take none, and what
does not depend on the position before is computed for all positions at once. Cho et al. 2014, arXiv 1406.1078, as
``torch.nn.GRU`` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from tabgraphsyn.models.precision import exactly


def states(cell: nn.GRU, rows: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the state after each row, (rows, width); sequences begin with a state of zeros.

    Args:
        cell: of one layer.
        rows: (rows, width), position after position, the longest sequences first in each.
        counts: sequences that have a row at each position, descending.
    """
    if rows.is_cuda:
        return cell(PackedSequence(rows, torch.tensor(counts)))[0].data  # type: ignore[no-any-return]
    weights = (cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, cell.bias_hh_l0)
    with exactly(rows.device.type):
        return _Recurrence.apply(rows.float(), tuple(counts), *weights)  # type: ignore[no-any-return]


class _Recurrence(torch.autograd.Function):
    """See ``states``. Gates are written (reset, update, new), side by side."""

    @staticmethod
    def forward(
        context: Any,
        rows: Tensor,
        counts: tuple[int, ...],
        of_row: Tensor,
        of_state: Tensor,
        row_bias: Tensor,
        state_bias: Tensor,
    ) -> Tensor:
        width, total = of_state.shape[1], len(rows)
        asked = torch.addmm(row_bias, rows, of_row.t())
        recalled = rows.new_empty(total, 3 * width)
        gates = rows.new_empty(total, 2 * width)
        new, after = (rows.new_empty(total, width) for _ in range(2))
        state, turned = rows.new_zeros(counts[0] if counts else 0, width), of_state.t()
        cut = 2 * width
        by_position = _positions(
            counts,
            *(recalled, recalled[:, :cut], recalled[:, cut:], asked[:, :cut], asked[:, cut:]),
            *(gates, gates[:, :width], gates[:, width:], new, after),
        )
        for told, told_gate, told_new, asked_gate, asked_new, gate, reset, update, fresh, own in by_position:
            state = state[: len(own)]
            torch.addmm(state_bias, state, turned, out=told)
            torch.add(asked_gate, told_gate, out=gate).sigmoid_()
            torch.addcmul(asked_new, reset, told_new, out=fresh).tanh_()
            state = torch.lerp(fresh, state, update, out=own)
        context.save_for_backward(rows, of_row, of_state, gates, new, recalled[:, 2 * width :], after)
        context.counts = counts
        return after

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, of_row, of_state, gates, new, recalled, after = context.saved_tensors
        counts, width, (wanted,) = context.counts, of_state.shape[1], gradients
        before = _before(after, counts)
        reset, update = gates[:, :width], gates[:, width:]
        # By what the gradient of a state is multiplied on its way to each gate, of all positions.
        to_new = (1 - update) * (1 - new * new)
        to_reset = to_new * recalled * (reset * (1 - reset))
        to_update = (before - new) * (update * (1 - update))
        ways = torch.stack([to_reset, to_update, to_new * reset], dim=1)
        reached, states = torch.empty_like(ways), wanted.clone(memory_format=torch.contiguous_format)
        to_states = reached.view(len(rows), 3 * width)
        carried = None
        for way, out, flat, state, wide, kept in reversed(
            _positions(counts, ways, reached, to_states, states, states.unsqueeze(1), update)
        ):
            if carried is not None:
                state[: len(carried)] += carried
            torch.mul(way, wide, out=out)
            carried = torch.addcmul(flat @ of_state, state, kept)
        to_rows = torch.cat([to_states[:, : 2 * width], states * to_new], dim=1)
        return (
            to_rows @ of_row,
            None,
            to_rows.t() @ rows,
            to_states.t() @ before,
            to_rows.sum(0),
            to_states.sum(0),
        )


def _positions(counts: Sequence[int], *values: Tensor) -> list[tuple[Tensor, ...]]:
    """Return values position by position, (rows of it, ...) each: cut once, for slices cost what operations do."""
    return list(zip(*(one.split(counts) for one in values), strict=True))


def _before(after: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the state before each row, of the states after each: (rows, width)."""
    first = counts[0] if counts else 0
    passed = torch.tensor(counts, device=after.device)
    place = torch.arange(first, len(after), device=after.device) - passed[:-1].repeat_interleave(passed[1:])
    return torch.cat([after.new_zeros(first, after.shape[1]), after.index_select(0, place)])
