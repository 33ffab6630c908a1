"""Every yaml binds to the constructor that it names: the constructor is the schema."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from tabgraphsyn.config.components import LIBRARIES, RUNTIME_ARGUMENTS
from tabgraphsyn.config.targets import constructor
from tabgraphsyn.config.top_level import config_dir


def components(value: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
    """Return every mapping with a ``_target_``, however deep."""
    found = []
    if isinstance(value, dict):
        if "_target_" in value:
            found.append((where, value))
        for key, inner in value.items():
            found += components(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += components(inner, f"{where}[{number}]")
    return found


def all_components() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(config_dir().rglob("*.yaml")):
        name = path.relative_to(config_dir()).with_suffix("").as_posix()
        found += components(yaml.safe_load(path.read_text()) or {}, name)
    return found


COMPONENTS = all_components()


def group(where: str) -> str:
    return str(Path(where).parent)


def named_parameters(found: Any) -> set[str]:
    parameters = inspect.signature(found).parameters.values()
    return {each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}


def import_target(target: str) -> Any:
    module, _, name = target.rpartition(".")
    if target.startswith("tabgraphsyn.tracking.wandb"):
        pytest.importorskip("wandb")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("where", "component"), COMPONENTS, ids=[where for where, _ in COMPONENTS])
def test_a_yaml_binds_to_its_constructor(where: str, component: dict[str, Any]):
    target = component["_target_"]
    package = target.partition(".")[0]
    assert package in ("tabgraphsyn", LIBRARIES.get(where.replace("/pyg", ""))), f"{where}: {target} is outside"
    found = import_target(target)
    arguments = {key: value for key, value in component.items() if not key.startswith("_") and key != "defaults"}
    runtime = RUNTIME_ARGUMENTS.get(group(where), frozenset())
    assert not set(arguments) & runtime, f"{where}: {set(arguments) & runtime} is set by the stage"
    accepted = named_parameters(found)
    unknown = set(arguments) - accepted
    assert not unknown, f"{where}: {target} takes no {unknown}; it takes {sorted(accepted)}"


@pytest.mark.parametrize(("where", "component"), COMPONENTS, ids=[where for where, _ in COMPONENTS])
def test_what_is_read_from_source_is_what_python_says(where: str, component: dict[str, Any]):
    """The check before the queue reads source text; it must agree with the imported class."""
    target = component["_target_"]
    read = constructor(target)
    assert read is not None, f"{where}: {target} was not found in its source"
    if read.is_open:
        return
    found = import_target(target)
    own = named_parameters(found)
    if any(one.kind is one.VAR_KEYWORD for one in inspect.signature(found).parameters.values()):
        own |= named_parameters(found.__mro__[1])  # what it hands on
    assert read.names == own, where


def test_there_are_components():
    assert len(COMPONENTS) > 10
