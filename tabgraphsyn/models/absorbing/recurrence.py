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
        new, before, after = (rows.new_empty(total, width) for _ in range(3))
        state, first = rows.new_zeros(counts[0] if counts else 0, width), 0
        for count in counts:
            here = slice(first, first + count)
            state = state[:count]
            before[here] = state
            told = torch.addmm(state_bias, state, of_state.t(), out=recalled[here])
            gate = torch.add(asked[here, : 2 * width], told[:, : 2 * width], out=gates[here]).sigmoid_()
            fresh = new[here]
            torch.addcmul(asked[here, 2 * width :], gate[:, :width], told[:, 2 * width :], out=fresh).tanh_()
            state = torch.lerp(fresh, state, gate[:, width:], out=after[here])
            first += count
        context.save_for_backward(rows, of_row, of_state, gates, new, recalled[:, 2 * width :], before)
        context.counts = counts
        return after

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, of_row, of_state, gates, new, recalled, before = context.saved_tensors
        width, (wanted,) = of_state.shape[1], gradients
        reset, update = gates[:, :width], gates[:, width:]
        # By what the gradient of a state is multiplied on its way to each gate, of all positions.
        to_new = (1 - update) * (1 - new * new)
        to_reset = to_new * recalled * (reset * (1 - reset))
        to_update = (before - new) * (update * (1 - update))
        ways = torch.stack([to_reset, to_update, to_new * reset], dim=1)
        reached = torch.empty_like(ways)
        states = torch.empty_like(before)
        first, carried = len(rows), None
        for count in reversed(context.counts):
            here = slice(first - count, first)
            state = states[here].copy_(wanted[here])
            if carried is not None:
                state[: len(carried)] += carried
            gate = torch.mul(ways[here], state.unsqueeze(1), out=reached[here]).view(count, 3 * width)
            carried = torch.addcmul(gate @ of_state, state, update[here])
            first -= count
        to_states = reached.view(len(rows), 3 * width)
        to_rows = torch.cat([to_states[:, : 2 * width], states * to_new], dim=1)
        return (
            to_rows @ of_row,
            None,
            to_rows.t() @ rows,
            to_states.t() @ before,
            to_rows.sum(0),
            to_states.sum(0),
        )
