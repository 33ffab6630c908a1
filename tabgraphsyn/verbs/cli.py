"""The command ``tabgraphsyn VERB``. A verb's module is imported when the verb is called, and only then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tabgraphsyn.errors import (
    EXIT_DONE,
    EXIT_USER,
    listing,
    nearest,
)
from tabgraphsyn.terminal import escaped_output, exit_code_of


@dataclass(frozen=True)
class Verb:
    """Where a verb lives and what it answers."""

    module: str
    function: str
    answers: str


VERBS = {
    "ingest": Verb("tabgraphsyn.verbs.ingest", "ingest", "profile your own tables; write metadata.json and a dataset"),
    "status": Verb("tabgraphsyn.verbs.status", "status", "every sweep point and stage: state, progress, why it waits"),
    "report": Verb("tabgraphsyn.verbs.report", "report", "a campaign's sweep points side by side: tables and figures"),
    "logs": Verb("tabgraphsyn.verbs.logs", "logs", "a stage's log, across attempts; -f follows"),
    "cancel": Verb("tabgraphsyn.verbs.cancel", "cancel", "stop a campaign; launching it again resumes"),
    "sample": Verb(
        "tabgraphsyn.verbs.sample_command", "sample", "synthetic tables from a trained bundle, without real data"
    ),
    "evaluate": Verb("tabgraphsyn.verbs.evaluate", "evaluate", "score the tables of any generator against real ones"),
    "repair": Verb("tabgraphsyn.verbs.repair", "repair", "Slurm: submit again what is missing, after an outage"),
    "usage": Verb("tabgraphsyn.verbs.usage", "usage", "hours and GPU-hours: used, saved by sharing, lost"),
    "doctor": Verb("tabgraphsyn.verbs.doctor", "doctor", "what this machine or cluster offers and what is chosen"),
    "sync": Verb("tabgraphsyn.verbs.sync", "sync", "offline W&B runs to the server, in order, once"),
    "metrics": Verb("tabgraphsyn.verbs.metrics", "metrics", "what each metric measures and how to read it"),
    "verify": Verb("tabgraphsyn.verbs.verify", "verify", "a crate, point, campaign or store, piece by piece"),
    "export": Verb(
        "tabgraphsyn.verbs.export", "export", "a finished point as a folder or zip for a reviewer (RO-Crate)"
    ),
    "reproduce": Verb("tabgraphsyn.verbs.reproduce", "reproduce", "compute a crate again and judge the result"),
    "tune": Verb("tabgraphsyn.verbs.tune", "tune", "search for better settings; a trial is a sweep point"),
    "models": Verb("tabgraphsyn.verbs.models", "models", "trained models: list, show, compare, tag, rm"),
    "gc": Verb("tabgraphsyn.verbs.gc", "gc", "what each rule would free; --yes deletes it"),
    "rm": Verb("tabgraphsyn.verbs.rm", "rm", "remove a campaign with the stages that nobody else needs"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that the command line names and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with escaped_output():
        return _ended(given)


def _ended(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        print(_overview())
        return EXIT_DONE
    name, rest = given[0], given[1:]
    if name == "--version":
        import tabgraphsyn

        print(tabgraphsyn.__version__)
        return EXIT_DONE
    if name == "launch":
        os.execv(sys.executable, [sys.executable, "-m", "tabgraphsyn.launch", *rest])  # this very interpreter  # nosec B606
    if name not in VERBS:
        known = listing([*VERBS, "launch"])
        print(f"{name}: no such verb.{nearest(name, [*VERBS, 'launch'])} There are {known}.", file=sys.stderr)
        return EXIT_USER
    verb = VERBS[name]
    return exit_code_of(lambda: _run(getattr(import_module(verb.module), verb.function), name, rest), name, rest)


def _run(function: Callable[..., Any], name: str, rest: list[str]) -> int:
    """Run one function as a typer command; typer leaves by ``SystemExit``."""
    import typer

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(function)
    try:
        typer.main.get_command(app).main(args=rest, prog_name=f"tabgraphsyn {name}")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else EXIT_DONE if ending.code is None else EXIT_USER
    return EXIT_DONE


def _overview() -> str:
    lines = ["tabgraphsyn VERB ... (also python -m tabgraphsyn VERB ...)", ""]
    lines += [f"  {name:9} {verb.answers}" for name, verb in VERBS.items()]
    lines += [f"  {'launch':9} compose, check, plan, run: the same as python -m tabgraphsyn.launch", ""]
    return "\n".join([*lines, "tabgraphsyn VERB --help shows a verb's options."])
