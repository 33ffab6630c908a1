"""What every graph network in conf/gnn must do."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from hydra.utils import get_class

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.models.gnn import encoder as encoder_module


def test_keys_of_the_yaml_are_the_arguments_of_the_constructor(config) -> None:
    parameters = inspect.signature(get_class(config["_target_"])).parameters
    assert set(config) - {"_target_"} == set(parameters) - {"graph_schema"}
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())


def test_shapes_and_finite_values(config, small) -> None:
    network, graph = small.encoder(config), small.graph().whole()
    for table, rows in small.rows.items():
        condition = network(graph, table)
        assert condition.shape == (rows, network.condition_dim)
        assert torch.isfinite(condition).all()


def test_none_has_no_conditions(small) -> None:
    network = small.encoder({"_target_": "tabgraphsyn.models.gnn.none.NoConditions"})
    assert network.condition_dim == 0
    assert not network.is_trained
    assert network.loss(small.graph().whole(), "crew", torch.Generator()) == {}


@pytest.mark.parametrize("target", ["airport", "crew", "flight", "member", "note"])
def test_hidden_latents_do_not_reach_the_condition(trained_config, small, target: str) -> None:
    network = small.encoder(trained_config, layers=3)
    first = small.graph()
    order = list(small.plan["order"])
    hidden = order[order.index(target) :]
    changed = {t: 100 + 7 * v if t in hidden else v for t, v in first.latents.items()}
    absent = {t: v for t, v in first.latents.items() if t not in hidden}
    expected = network(first.whole(), target)
    assert torch.equal(network(first.with_latents(changed).whole(), target), expected)
    assert torch.equal(network(first.with_latents(absent).whole(), target), expected)


def test_visible_latents_do_reach_the_condition(trained_config, small) -> None:
    network, first = small.encoder(trained_config), small.graph()
    changed = {**first.latents, "airport": first.latents["airport"] + 1}
    assert not torch.allclose(network(first.with_latents(changed).whole(), "flight"), network(first.whole(), "flight"))


def test_each_key_and_direction_has_its_own_say(trained_config, small) -> None:
    """Swap origin and destination of all flights: an encoder that mixed the two keys up would not notice."""
    network, graph = small.encoder(trained_config), small.graph()
    adjacency = dict(graph.adjacency)
    by_name = {edge_type[1]: edge_type for edge_type in adjacency}
    for prefix in ("", "rev:"):
        one, other = by_name[f"{prefix}flight.origin--airport"], by_name[f"{prefix}flight.destination--airport"]
        adjacency[one], adjacency[other] = adjacency[other], adjacency[one]
    swapped = type(graph)(graph.structure, graph.latents, adjacency)
    assert not torch.allclose(network(swapped.whole(), "flight"), network(graph.whole(), "flight"), atol=1e-4)


def test_reaches_the_given_number_of_hops(trained_config, small) -> None:
    """A member sees its flight's airport in two hops and not in one."""
    graph = small.graph()
    changed = graph.with_latents({**graph.latents, "airport": graph.latents["airport"] + 1})
    for layers in (1, 2):
        network = small.encoder(trained_config, layers=layers)
        difference = (network(changed.whole(), "member") - network(graph.whole(), "member")).abs().max()
        assert (difference > 1e-5) == (layers == 2)


def test_same_seed_same_condition(trained_config, small) -> None:
    graph = small.graph().whole()
    assert torch.equal(small.encoder(trained_config)(graph, "flight"), small.encoder(trained_config)(graph, "flight"))
    assert not torch.equal(
        small.encoder(trained_config, seed=1)(graph, "flight"), small.encoder(trained_config)(graph, "flight")
    )


def test_gradients_reach_every_parameter_that_a_target_uses(trained_config, small) -> None:
    network, graph = small.encoder(trained_config).train(), small.graph()
    for target in ("airport", "crew", "flight", "note"):
        losses = network.loss(graph.whole(), target, torch.Generator())
        assert set(losses) == {"loss", "prediction", "reconstruction"}
        losses["loss"].backward()
    touched = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters()]
    # Not touched: what serves only keys-only tables as targets, and heads of neighbours that are hidden.
    assert np.mean(touched) > 0.6
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_a_few_steps_lower_the_loss(trained_config, small) -> None:
    network, graph = small.encoder(trained_config, dropout=0.0).train(), small.graph().whole()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    values = []
    for _ in range(30):
        loss = network.loss(graph, "flight", torch.Generator())["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        values.append(float(loss.detach()))
    assert values[-1] < values[0] - 0.02


def test_chunks_do_not_change_the_condition(trained_config, small, monkeypatch) -> None:
    network, graph = small.encoder(trained_config), small.graph().whole()
    with torch.no_grad():
        expected = network(graph, "flight")
        monkeypatch.setattr(encoder_module, "CHUNK_ROWS", 17)
        assert torch.allclose(network(graph, "flight"), expected, atol=1e-5)


def test_conditions_are_standardised_with_training_statistics(trained_config, small) -> None:
    network, graph = small.encoder(trained_config), small.graph().whole()
    network.fit_standardisation(graph, "flight")
    condition = network(graph, "flight")
    assert torch.allclose(condition.mean(dim=0), torch.zeros(network.condition_dim), atol=1e-3)
    assert (condition.std(dim=0, correction=0) < 1.01).all()
    assert (condition.std(dim=0, correction=0) > 0.99).float().mean() > 0.8
    before = network.condition_mean.clone()
    other = network(small.graph(seed=1).whole(), "flight")
    assert torch.equal(before, network.condition_mean)
    assert other.mean().abs() > 1e-4


def test_graph_without_any_edge_or_row(trained_config, small) -> None:
    network = small.encoder(trained_config)
    rows = {**small.rows, "flight": 0, "member": 0}
    graph = small.graph(rows=rows)
    for table in small.plan["order"]:
        assert network(graph.whole(), table).shape == (rows[table], 64)
    loss = network.loss(graph.whole(), "flight", torch.Generator())["loss"]
    assert float(loss.detach()) == 0.0


def test_heads_that_do_not_divide_the_width_are_refused(small, config) -> None:
    if "heads" not in config:
        pytest.skip("a network without attention")
    with pytest.raises(Exception, match=r"gnn\.heads") as caught:
        small.encoder({**config, "heads": 7})
    assert isinstance(caught.value, ConfigError) or isinstance(caught.value.__cause__, ConfigError)


def test_parents_attributes_can_be_read_off_the_childs_condition(trained_config, small) -> None:
    """A linear probe finds the category of both airports of a flight, though flights themselves are pure noise."""
    rows = {**small.rows, "airport": 60, "flight": 600}
    graph = small.graph(rows=rows)
    pointers = small.pointers(rows=rows)
    category = np.random.default_rng(1).integers(0, 5, 60)
    codes = 2.0 * (torch.eye(5) - 0.2)[torch.from_numpy(category)]
    graph = graph.with_latents({**graph.latents, "airport": codes})
    network = small.encoder(trained_config).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(50):
        network.loss(graph.whole(), "flight", torch.Generator())["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    network.eval()
    with torch.no_grad():
        network.fit_standardisation(graph.whole(), "flight")
        condition = network(graph.whole(), "flight").numpy()
    for column in ("origin", "destination"):
        parent = pointers[f"flight.{column}--airport"]
        has = np.flatnonzero(parent >= 0)
        wanted = np.eye(5)[category[parent[has]]]
        train, test = has[::2], has[1::2]
        design = np.c_[condition, np.ones(len(condition))]
        weights, *_ = np.linalg.lstsq(design[train], wanted[::2], rcond=None)
        accuracy = ((design[test] @ weights).argmax(1) == wanted[1::2].argmax(1)).mean()
        assert accuracy > 0.95, (column, accuracy)
