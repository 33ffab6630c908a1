"""A step of the graph network in parts: the same losses and gradients as in one piece, but for rounding."""

from __future__ import annotations

import pytest
import torch

from tabgraphsyn.errors import StageError
from tabgraphsyn.training.conditions import ConditionTask, GraphLoopConfig
from tabgraphsyn.training.graph_parts import Shares, scaled_heads
from tabgraphsyn.training.parts import WHOLE


def gradients(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.grad for name, value in network.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("full_batch_rows", [10**6, 0])
def test_parts_add_up_to_the_step(small, trained_config, full_batch_rows: int) -> None:
    config = GraphLoopConfig(
        steps=1, batch_rows=50, learning_rate=1.0, full_batch_rows=full_batch_rows, fanout=3, validation_share=0.0
    )
    torch.manual_seed(0)
    network = small.encoder({**trained_config, "dropout": 0.0})
    task = ConditionTask(network, small.graph(), config, seed=0)
    steps = {task.target_at(step): step for step in range(60)}
    assert set(steps) == {"airport", "crew", "flight", "note"}
    for step in steps.values():
        task.network.zero_grad()
        whole = task.loss(step, torch.Generator().manual_seed(step))
        whole["loss"].backward()
        expected = gradients(task.network)
        task.network.zero_grad()
        found = [task.part_loss(step, torch.Generator().manual_seed(step), part) for part in WHOLE.split(4)]
        for losses in found:
            if losses:
                losses["loss"].backward()
        for name, value in whole.items():
            assert sum(float(losses[name].detach()) for losses in found if losses) == pytest.approx(
                float(value.detach()), rel=1e-5
            )
        assert set(gradients(task.network)) == set(expected)
        for name, value in gradients(task.network).items():
            assert torch.allclose(value, expected[name], rtol=1e-4, atol=1e-6), name


def test_a_network_whose_loss_is_not_known_to_be_a_sum_is_refused(small) -> None:
    with pytest.raises(StageError, match="cannot be split"), scaled_heads(torch.nn.Linear(2, 2), Shares(0.5, {})):
        pass
