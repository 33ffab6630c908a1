"""The configuration reference: every group, its options, and each key with default, values and advice."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from docs_site.markdown import cell, code, table
from docs_site.settings import Described, Setting, described, yaml_text
from tabgraphsyn.config.components import COMPONENTS, RUNTIME_ARGUMENTS
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.top_level import GENERATOR_GROUPS, TopLevelConfig, config_dir
from tabgraphsyn.config.unread import unread_sections
from tabgraphsyn.generators.frame import own_generators

_SCHEMAS = "tabgraphsyn.config.top_level"
# All on one line: a key without a comment does not take that of the next one.
_COMMENTED = re.compile(r"^(?P<key>[A-Za-z_]+):[^#\n]*?[ \t]+#[ \t]*(?P<text>.+)$", re.MULTILINE)
_HEAD = ("key", "default", "values", "advice")
_PLAIN = ("seed", "campaign", "output_dir", "dry_run", "wait", "allow_targets")
_TITLES = {
    "codec": "how columns become numbers", "holdout": "rows that nothing trains on", "structure": "keys and row counts",
    "generator": "what learns the rows: which stages are trained, and what samples from them",
    "autoencoder": "columns to latents", "gnn": "the network over the foreign keys",
    "denoiser": "the denoising network",
    "diffusion": "noise and losses", "sampler": "the solver of sampling", "sampling": "how much is sampled",
    "report": "what the report draws", "tracking": "where training is followed", "dataset": "the tables",
    "training": "how long and how fast to train", "evaluation": "protocols", "cluster": "where stages run",
    "resources": "what a stage is given", "experiment": "presets of several groups", "model": "presets of a model",
    "reading": "keys of every data set", "evaluation/gate": "the privacy gate",
}  # fmt: skip


def page() -> str:
    """Return the page."""
    lines = [
        "# Configuration reference",
        "",
        "Made of the constructors when this site is built. `group=option` chooses an option, `group.key=value` changes",
        "a key, `-m key=a,b` sweeps it. A value outside what stands under *values* ends a launch with exit code 2",
        "before anything is queued. `python -m tabgraphsyn.launch --cfg job` prints what a command composes.",
        "",
        "A key that says *what* is computed is part of a stage's signature: change it, and what depends on it is",
        "computed again. `cluster`, `resources`, `tracking`, `output_dir`, `campaign` say *where*: no result changes.",
        "",
        *_top_level(),
        *_dataset(),
    ]
    for group in COMPONENTS:
        if group != "tracking":
            lines += _component_group(group)
    lines += [*_training(), *_evaluation(), *_component_group("tracking"), *_cluster(), *_resources(), *_presets()]
    return "\n".join(lines) + "\n"


def options(group: str) -> dict[str, dict[str, Any]]:
    """Return the yaml files of a group, by name of the option."""
    files = sorted((config_dir() / group).glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files}


def comments(path: Path) -> dict[str, str]:
    """Return key -> the comment at the end of its line."""
    return {found["key"]: found["text"] for found in _COMMENTED.finditer(path.read_text(encoding="utf-8"))}


def first_comment(path: Path) -> str:
    """Return the comment at the head of a yaml file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = []
    for line in lines:
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            head.append(line.removeprefix("#").strip())
    return " ".join(head)


def default_options() -> dict[str, str]:
    """Return group -> the option that a launch takes."""
    listed = yaml.safe_load((config_dir() / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    return {group: str(option) for item in listed if isinstance(item, dict) for group, option in item.items()}


def _heading(group: str) -> list[str]:
    return [f"## {group}", "", f"*{_TITLES[group].capitalize()}.*{_readers(group)}", ""]


def _readers(group: str) -> str:
    """Return which models read a group, where not every one does."""
    if group not in GENERATOR_GROUPS:
        return ""
    read = [f"`model={name}`" for name, config in _models().items() if group not in unread_sections(config)]
    told = ", and where `gnn` names a network" if group == "autoencoder" else ""
    return "" if len(read) == len(_models()) else f" Read with {' and '.join(read)}{told}."


@cache
def _models() -> dict[str, dict[str, Any]]:
    """Return the composed config of every model."""
    return {name: compose_points([f"model={name}"], multirun=False).points[0].config for name in options("model")}


def _row(key: str, setting: Setting, default: str, advice: str = "") -> tuple[str, str, str, str]:
    return code(key), default, cell(setting.values), cell(advice or setting.advice)


def _component_group(group: str) -> Iterator[str]:
    """Yield a group: its options by the class they build, with one table a class."""
    yield from _heading(group)
    files, chosen = options(group), default_options().get(group)
    alike: dict[tuple[Setting, ...], list[str]] = defaultdict(list)
    for name, values in files.items():
        about = described(values.get("_target_") or _inherited_target(group, values))
        mark = " (default)" if name == chosen else ""
        words = first_comment(config_dir() / group / f"{name}.yaml") or about.summary.split("\n\n")[0]
        yield f"- `{group}={name}`{mark}: {cell(words)}"
        runtime = RUNTIME_ARGUMENTS.get(group, ())
        alike[tuple(setting for setting in about.settings if setting.name not in runtime)].append(name)
    yield ""
    for settings, names in alike.items():
        if len(alike) > 1:
            yield (
                f"Keys of {', '.join(f'`{name}`' for name in names)}:" if settings else f"No keys: {', '.join(names)}."
            )
            yield ""
        if settings:
            yield from table(_HEAD, (_of_options(group, setting, names, files) for setting in settings))


def _inherited_target(group: str, values: dict[str, Any]) -> str:
    for base in values.get("defaults", []):
        if isinstance(base, str) and base != "_self_":
            return options(group)[base]["_target_"]
    raise LookupError(f"conf/{group}: an option without a _target_")


def _of_options(
    group: str, setting: Setting, names: list[str], files: dict[str, dict[str, Any]]
) -> tuple[str, str, str, str]:
    """Return a row; where the options of one class differ in the key, the default of each."""
    found = {name: yaml_text(files[name][setting.name]) for name in names if setting.name in files[name]}
    if not found:
        default = code(setting.default) if setting.default is not None else "must be given"
    elif len(set(found.values())) == 1 and len(found) == len(names):
        default = code(next(iter(found.values())))
    else:
        others = setting.default if setting.default is not None else "–"
        default = "; ".join(f"{name}: {code(found.get(name, others))}" for name in names)
    said = {key: text for name in names for key, text in comments(config_dir() / group / f"{name}.yaml").items()}
    return _row(f"{group}.{setting.name}", setting, default, setting.advice or said.get(setting.name, ""))


def _of_schema(prefix: str, about: Described, given: dict[str, Any], keys: tuple[str, ...] | None = None):
    for setting in about.settings:
        if keys is None or setting.name in keys:
            default = yaml_text(given[setting.name]) if setting.name in given else (setting.default or "")
            yield _row(f"{prefix}{setting.name}", setting, code(default))


def _top_level() -> list[str]:
    about = described(f"{_SCHEMAS}.{TopLevelConfig.__name__}")
    return ["## Top level", "", *table(_HEAD, _of_schema("", about, {}, _PLAIN))]


def _dataset() -> Iterator[str]:
    yield from _heading("dataset")
    for name in options("dataset"):
        yield f"- `dataset={name}`: {cell(first_comment(config_dir() / 'dataset' / f'{name}.yaml'))}"
    yield ""
    yield "Keys of `dataset=folder`, and of a yaml of your own:"
    yield ""
    head = ("key", "default", "advice")
    for path in (config_dir() / "dataset" / "folder.yaml", config_dir() / "reading" / "default.yaml"):
        values, said = yaml.safe_load(path.read_text(encoding="utf-8")), comments(path)
        rows = (
            (code(f"dataset.{key}"), code(yaml_text(value)), cell(said.get(key, _PATH)))
            for key, value in values.items()
        )
        yield from table(head, rows)


_PATH = "a folder of tables, or one file (csv, parquet, Excel, SQLite, DuckDB); must be given"


def _listed(group: str) -> Iterator[str]:
    """Yield the options of a group, each with what its yaml says of itself."""
    for name in options(group):
        mark = " (default)" if name == default_options()[group] else ""
        yield f"- `{group}={name}`{mark}: {cell(first_comment(config_dir() / group / f'{name}.yaml'))}"
    yield ""


def _training() -> Iterator[str]:
    yield from _heading("training")
    files = options("training")
    yield from _listed("training")
    yield "`training.evaluate_every` sets that of the diffusion below."
    yield ""
    sections = ((one.key, one.target) for generator in own_generators() for one in generator.sections)
    for key, target in dict.fromkeys(sections):  # generators share sections
        section, about = key.partition(".")[2], described(target)
        yield f"### {key}"
        yield ""
        rows = []
        for setting in about.settings:
            found = {name: values.get(section, {}).get(setting.name, _ABSENT) for name, values in files.items()}
            kept = {name: value for name, value in found.items() if value is not _ABSENT}
            texts = {name: yaml_text(value) for name, value in kept.items()}
            default = _by_option(texts, setting)
            rows.append(_row(f"{key}.{setting.name}", setting, default))
        yield from table(_HEAD, rows)


_ABSENT = object()
_OF_METRICS = "keys: [its page](metrics/index.md); `~evaluation.metrics.c2st` leaves one out"


def _by_option(texts: dict[str, str], setting: Setting) -> str:
    if len(set(texts.values())) == 1:
        return code(next(iter(texts.values())))
    return "; ".join(f"{name}: {code(text)}" for name, text in texts.items()) or code(setting.default or "")


def _evaluation() -> Iterator[str]:
    yield from _heading("evaluation")
    yield from _listed("evaluation")
    yield from table(
        ("key", "default", "advice"),
        [
            ("`evaluation.comparisons`", "`[synthetic, real_real]`", "also `independent` (columns apart) and `copy`"),
            ("`evaluation.seed`", "`0`", "of folds, draws and subsamples"),
            ("`evaluation.metrics.<name>`", "by protocol", _OF_METRICS),
        ],
    )  # fmt: skip
    yield "### evaluation.gate"
    yield ""
    path = config_dir() / "evaluation" / "gate" / "default.yaml"
    given, about = yaml.safe_load(path.read_text(encoding="utf-8")), described("tabgraphsyn.evaluation.gate.Gate")
    yield cell(first_comment(path))
    yield ""
    said = comments(path)
    rows = []
    for setting in about.settings:
        default = "see the yaml" if setting.name == "limits" else code(yaml_text(given.get(setting.name)))
        rows.append(
            _row(f"evaluation.gate.{setting.name}", setting, default, setting.advice or said.get(setting.name, ""))
        )
    yield from table(_HEAD, rows)


def _cluster() -> Iterator[str]:
    yield from _heading("cluster")
    files = options("cluster")
    yield from _listed("cluster")
    yield "Defaults of `cluster=local`, in brackets those of `cluster=slurm` where they differ. A site is one yaml."
    yield ""
    about, rows = described(f"{_SCHEMAS}.ClusterConfig"), []
    for setting in about.settings:
        local = files["local"].get(setting.name, _ABSENT)
        text = yaml_text(local) if local is not _ABSENT else setting.default or ""
        slurm = files["slurm"].get(setting.name, _ABSENT)
        other = f" ({code(yaml_text(slurm))})" if slurm is not _ABSENT and yaml_text(slurm) != text else ""
        rows.append(_row(f"cluster.{setting.name}", setting, code(text) + other))
    yield from table(_HEAD, rows)


def _resources() -> Iterator[str]:
    yield from _heading("resources")
    about = described(f"{_SCHEMAS}.StageResources")
    yield from table(_HEAD, _of_schema("resources.<stage>.", about, {}))
    given = options("resources")["default"]
    keys = sorted({key for stage in given.values() for key in stage})
    rows = (
        (f"`{stage}`", *(code(yaml_text(values[key])) if key in values else "" for key in keys))
        for stage, values in given.items()
    )
    yield "What `resources=default` gives each stage:"
    yield ""
    yield from table(("stage", *keys), rows)


def _presets() -> Iterator[str]:
    for group in ("model", "experiment"):
        yield from _heading(group)
        for name in options(group):
            mark = " (default)" if name == default_options().get(group) else ""
            yield f"- `{group}={name}`{mark}: {cell(first_comment(config_dir() / group / f'{name}.yaml'))}"
        yield ""
