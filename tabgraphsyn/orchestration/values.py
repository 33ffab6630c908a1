"""Values outside their range, found by the very classes that the stages will build; only those that load no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from tabgraphsyn.errors import ConfigError

_SETTINGS = ("codec", "holdout", "sampling", "report")
_TRAINED = ("autoencoder", "gnn", "diffusion")


def value_problems(config: Mapping[str, Any]) -> list[str]:
    """Return what the settings of a composed config refuse.

    ``scale=0`` must be known before hours of training, not when sampling begins. Models check themselves where they
    are built: importing them takes longer than planning.
    """
    return [*_settings_problems(config), *_training_problems(config)]


def _settings_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for group in _SETTINGS:
        settings = config.get(group) or {}
        module, _, name = str(settings.get("_target_", "")).rpartition(".")
        if module.startswith("tabgraphsyn."):
            setting = getattr(import_module(module), name)
            yield from _refusal(setting, {key: value for key, value in settings.items() if key != "_target_"})


def _training_problems(config: Mapping[str, Any]) -> Iterator[str]:
    from tabgraphsyn.training.config import LoopConfig

    known = {each.name for each in fields(LoopConfig)}
    for stage in _TRAINED:
        settings = (config.get("training") or {}).get(stage) or {}
        if not settings:
            continue
        for text in _refusal(LoopConfig, {key: value for key, value in settings.items() if key in known}):
            yield text.replace("training.", f"training.{stage}.")


def _refusal(setting: Any, values: Mapping[str, Any]) -> Iterator[str]:
    try:
        setting(**values)
    except ConfigError as error:
        yield str(error)
    except TypeError as error:
        name = f"{setting.__module__}.{setting.__qualname__}"
        yield f"{name}: a value has the wrong type ({error}). Found {dict(values)!r}."
