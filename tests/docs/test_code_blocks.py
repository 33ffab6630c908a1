"""Every block of code in the documentation is held against what it calls; the marked ones are run, page by page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the module beside this file is imported by name

from pages import ALL, PAGES, ROOT, Block, blocks

from tabgraphsyn.config.checks import config_problems
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.top_level import COMPONENT_GROUPS, config_dir
from tabgraphsyn.verbs.cli import VERBS

LANGUAGES = {"", "sh", "python", "yaml", "json", "text"}
SHELL = [block for block in ALL if block.language == "sh"]
COMMANDS = [(block, words) for block in SHELL for words in block.commands()]
# The examples of extend.md have a test of their own.
LAUNCHES = [(block, words) for block, words in COMMANDS if "tabgraphsyn.launch" in words[:3] and not block.title]
VERBED = [(block, words) for block, words in COMMANDS if words[0] == "tabgraphsyn" and len(words) > 1]
MADE = [(block, words) for block, words in COMMANDS if words[0] == "make"]


def named(pairs: list[tuple[Block, list[str]]]) -> list[str]:
    return [f"{block}-{number}" for number, (block, _) in enumerate(pairs)]


def test_no_block_is_passed_over():
    assert len(SHELL) > 12 and len(LAUNCHES) > 5 and len(VERBED) > 15
    assert {block.language for block in ALL} <= LANGUAGES
    unknown = [str(block) for block in ALL if block.mark and not re.match(r"slow$|slow: |no, \w", block.mark)]
    assert not unknown


def test_shell_blocks_are_shell():
    for block in SHELL:
        done = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}: {done.stderr}"


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "yaml"], ids=str)
def test_yaml_blocks_are_yaml(block: Block):
    assert yaml.safe_load(block.code) is not None


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "python"], ids=str)
def test_python_blocks_compile(block: Block):
    compile(block.code, str(block), "exec")


def _overrides(words: list[str]) -> tuple[list[str], bool]:
    """Return what a launch is given, with places of the reader's own replaced by ones that are here."""
    rest = words[words.index("tabgraphsyn.launch") + 1 :]
    given = [word for word in rest if word not in ("-m", "--multirun", "--cfg", "job")]
    sites = {path.stem for path in (config_dir() / "cluster").glob("*.yaml")}
    known = {path.stem for path in (config_dir() / "dataset").glob("*.yaml")}
    made = []
    for word in given:
        key, _, value = word.partition("=")
        if key == "dataset" and value not in known:
            made += ["dataset=folder", "dataset.path=x"]
        elif key == "cluster" and value not in sites:
            made.append("cluster=slurm")
        else:
            made.append(word)
    return made, "-m" in rest


@pytest.mark.parametrize(("block", "words"), LAUNCHES, ids=named(LAUNCHES))
def test_launches_compose(block: Block, words: list[str]):
    overrides, multirun = _overrides(words)
    composed = compose_points(overrides, multirun=multirun)
    problems = list(composed.problems)
    for point in composed.points[:1]:
        problems += config_problems(point.config, point.missing, (*COMPONENT_GROUPS, "tracking"), point.added)
    assert not problems, f"{block}: {words}"


@pytest.mark.parametrize(("block", "words"), VERBED, ids=named(VERBED))
def test_verbs_and_options_are_there(block: Block, words: list[str]):
    assert words[1] in {*VERBS, "launch", "VERB", "--version"}, f"{block}: no verb {words[1]!r}"
    if words[1] not in VERBS:
        return
    function = getattr(import_module(VERBS[words[1]].module), VERBS[words[1]].function)
    app = function if isinstance(function, typer.Typer) else typer.Typer(add_completion=False)
    if app is not function:
        app.command(words[1])(function)
    command, rest = typer.main.get_command(app), words[2:]
    while getattr(command, "commands", None) and rest:
        assert rest[0] in command.commands, f"{block}: {words}"
        command, rest = command.commands[rest[0]], rest[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    used = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert used <= {*options, "--help"}, f"{block}: {words[1]} has no {sorted(used - options)}"


def test_targets_of_make_are_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for block, words in MADE:
        assert {word for word in words[1:] if "=" not in word} <= targets, f"{block}: {words}"


RUNNABLE = [page for page in PAGES if any(block.runs for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_a_page_runs_as_it_is_read(page: Path, tmp_path: Path):
    """Run the marked blocks of a page one after the other in one folder, the way a reader would."""
    (tmp_path / "bin").mkdir()
    for name, words in (("python", ""), ("python3", ""), ("tabgraphsyn", " -m tabgraphsyn")):
        command = tmp_path / "bin" / name
        command.write_text(f'#!/usr/bin/env bash\nexec "{sys.executable}"{words} "$@"\n')
        command.chmod(0o755)
    here = tmp_path / "here"
    here.mkdir()
    own = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TABGRAPHSYN_CONF": str(tmp_path / "conf"),
        "OMP_NUM_THREADS": "1",
    }
    for block in blocks(page):
        if not block.runs:
            continue
        shell = [shutil.which("bash"), "-euo", "pipefail", "-c", f"{block.code.rstrip()} {block.extra}"]
        words = [sys.executable, "-c", block.code] if block.language == "python" else shell
        done = subprocess.run(words, cwd=here, env=own, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
