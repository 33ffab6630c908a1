"""Whether the components and sections of a composed config fit what will be built from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from tabgraphsyn.config.targets import Constructor, constructor, names_in_module
from tabgraphsyn.config.together import together_problems
from tabgraphsyn.config.top_level import ClusterConfig, StageResources, TopLevelConfig
from tabgraphsyn.errors import listing, nearest
from tabgraphsyn.generators.base import Generator
from tabgraphsyn.generators.frame import FRAME

# What the stage passes itself: the contracts of the components' base classes.
RUNTIME_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "autoencoder": frozenset({"layout"}),
    "gnn": frozenset({"graph_schema"}),
    "gnn.convolution": frozenset(
        {"in_channels", "out_channels", "channels", "nn", "add_self_loops", "flow", "node_dim"}
    ),
    "denoiser": frozenset({"latent_dim", "output_dim", "condition_dim"}),
    "tracking": frozenset({"run"}),
}

# Parts of a component that are classes of a library, which it builds itself.
LIBRARIES: Mapping[str, str] = {"gnn.convolution": "torch_geometric"}

COMPONENTS = (
    *("codec", "holdout", "structure", "generator", "autoencoder", "gnn", "denoiser", "diffusion", "sampler"),
    *("sampling", "report", "tracking"),
)
"""Groups whose yaml names the class that is built from it."""


def _names(schema: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(schema))


# Which keys stand below a node that no constructor owns.
_KNOWN_BELOW: Mapping[str, tuple[str, ...]] = {
    "": _names(TopLevelConfig),
    "evaluation": ("metrics", "comparisons", "seed", "gate"),
    "cluster": _names(ClusterConfig),
}
_COMPARISONS = ("synthetic", "real_real", "independent", "copy")
_PACKAGE = "tabgraphsyn"


def component_problems(config: Mapping[str, Any], generator: type[Generator] | None = None) -> Iterator[str]:
    """Yield what is wrong with every mapping that has a ``_target_``, however deep.

    Args:
        config: plain values.
        generator: the config's; without it, nothing is said of the components among its settings.
    """
    allowed = (_PACKAGE, *(config.get("allow_targets") or ()))
    runtime = {**RUNTIME_ARGUMENTS, **(generator.runtime if generator is not None else {})}
    for group in COMPONENTS:
        found = config.get(group)
        if found is not None and found != "???" and not (isinstance(found, Mapping) and "_target_" in found):
            yield f"{group}: a component with a _target_ expected, found {found!r}. Choose an option: {group}=<option>."
    for key, component in _components(config, ""):
        target = component["_target_"]
        if generator is None and key.startswith("generator."):
            continue
        if not isinstance(target, str):
            yield f"{key}._target_: the name of a class, found {target!r}."
        elif target.split(".", 1)[0] not in (*allowed, LIBRARIES.get(key)):
            package = target.split(".", 1)[0]
            yield (
                f"{key}._target_: {target!r} is outside the package. "
                f"Add allow_targets=[{package}] if you trust {package!r}."
            )
        else:
            yield from _target_problems(key, target, component, runtime.get(key, frozenset()))


def _known_below(generator: type[Generator] | None) -> dict[str, tuple[str, ...]]:
    """Return which keys stand below a node that no constructor owns; without a generator, of those that need none."""
    if generator is None:
        return dict(_KNOWN_BELOW)
    kinds = (*sorted(FRAME), *(kind.name for kind in generator.kinds))
    below = {f"resources.{kind}": _names(StageResources) for kind in kinds}
    training = ("evaluate_every", *(section.key.partition(".")[2] for section in generator.sections))
    return {**_KNOWN_BELOW, "resources": kinds, "training": training, **below}


def section_problems(config: Mapping[str, Any], generator: type[Generator]) -> Iterator[str]:
    """Yield what is wrong with the sections of ``training`` that a generator reads."""
    training = config.get("training")
    if not isinstance(training, Mapping):
        return
    for key, target in ((section.key, section.target) for section in generator.sections):
        section = training.get(key.partition(".")[2])
        if not isinstance(section, Mapping):
            yield f"{key}: a section of settings expected, found {section!r}. Choose an option: training=<option>."
            continue
        accepted = constructor(target)
        if accepted is not None:
            yield from _argument_problems(key, target.rpartition(".")[2], accepted, section, frozenset())


def evaluation_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the protocol itself; its metrics are components."""
    evaluation = config.get("evaluation")
    if not isinstance(evaluation, Mapping):
        return
    metrics = evaluation.get("metrics")
    if not isinstance(metrics, Mapping) or not metrics:
        yield f"evaluation.metrics: at least one metric expected, found {metrics!r}."
    else:
        for name, metric in metrics.items():
            if not (isinstance(metric, Mapping) and "_target_" in metric):
                yield f"evaluation.metrics.{name}: a metric with a _target_ expected, found {metric!r}."
    wanted = evaluation.get("comparisons")
    if not isinstance(wanted, list) or not wanted or not all(name in _COMPARISONS for name in wanted):
        yield f"evaluation.comparisons: a list of one or more of {listing(_COMPARISONS)} expected, found {wanted!r}."
    seed = evaluation.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        yield f"evaluation.seed: a whole number, at least 0, expected, found {seed!r}."


def added_problems(added: Sequence[str], generator: type[Generator] | None = None) -> Iterator[str]:
    """Yield which keys that the command line added with ``+`` nothing reads.

    Keys below a component or a section are held against its constructor, whoever wrote them. What a user's own yaml
    files say besides is theirs: interpolations read it.
    """
    below = _known_below(generator)
    for key in added:
        parts = key.split(".")
        for depth, part in enumerate(parts):
            parent = ".".join(parts[:depth])
            known = below.get(parent)
            if known is None:
                break
            if part not in known:
                what = "no such key" if depth == len(parts) - 1 else f"there is no {part!r}"
                where = f"under {parent!r}" if parent else "at the top level"
                yield f"{key}: {what} {where}.{nearest(part, known)} There are {listing(sorted(known), 40)}."
                break


def _components(value: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield key, value
        for name, inner in value.items():
            yield from _components(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _components(inner, f"{key}[{number}]")


def _target_problems(key: str, target: str, component: Mapping[str, Any], runtime: frozenset[str]) -> Iterator[str]:
    accepted = constructor(target)
    if accepted is None:
        # A trusted package may be installed where the stages run and not here; ours is here.
        if target.split(".", 1)[0] in (_PACKAGE, LIBRARIES.get(key)):
            name = target.rpartition(".")[2]
            yield f"{key}._target_: there is no {target!r}.{nearest(name, names_in_module(target))}"
        return
    yield from _argument_problems(key, target, accepted, component, runtime)
    if target.startswith(f"{_PACKAGE}."):
        types = accepted.types
        yield from together_problems(
            key, {name: value for name, value in component.items() if name in types and types[name].holds(value)}
        )


def _argument_problems(
    key: str, target: str, accepted: Constructor, given: Mapping[str, Any], runtime: frozenset[str]
) -> Iterator[str]:
    """Yield which names ``target`` does not take, which it lacks, and which values have another type."""
    known = sorted(accepted.names - runtime)
    for name, value in given.items():
        if str(name).startswith("_") or value == "???":
            continue
        if name in runtime:
            yield f"{key}.{name}: the stage sets it at run time. Remove it from the yaml or the command."
        elif name not in accepted.types:
            if not accepted.is_open:
                close = nearest(str(name), known)
                yield f"{key}.{name}: {target} takes no such argument.{close} It takes {listing(known, 30)}."
        elif not _is_component(value) and (problem := accepted.types[name].problem(f"{key}.{name}", value)) is not None:
            yield problem
    for name in sorted(accepted.required - runtime - set(given)):
        yield f"{key}.{name}: {target} needs it and it is not set. Add {key}.{name}=<value>."


def _is_component(value: Any) -> bool:
    return isinstance(value, Mapping) and "_target_" in value
