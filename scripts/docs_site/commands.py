"""The verbs with their options, and the exit codes, from the command line itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer

from docs_site.markdown import cell, code, table
from tabgraphsyn import errors
from tabgraphsyn.verbs.cli import VERBS

_MEANINGS = {
    errors.EXIT_DONE: ("done", "Everything that was asked for stands on disk."),
    errors.EXIT_USER: (
        "the user's mistake",
        "A setting, a file or a table breaks a rule. Nothing was queued; the message says what to do. All mistakes of "
        "a command come at once.",
    ),
    errors.EXIT_STAGE: (
        "a stage failed",
        "Something went wrong while computing, a scheduler refused, a check found a difference, or "
        "`evaluation.gate.action=fail` and the privacy gate fails (then everything is written first).",
    ),
    errors.EXIT_INTERRUPTED: (
        "interrupted, resumable",
        "Ctrl-C, a signal, a time limit or a preemption: the state is saved, and the same command goes on.",
    ),
    errors.EXIT_RANK_LOST: (
        "a rank was lost, resumable",
        "Only a stage on several ranks ends so, when another of its processes died; a launch goes on by itself.",
    ),
}


def exit_codes() -> str:
    """Return the page of exit codes.

    Raises:
        LookupError: a code that nobody described.
    """
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    if known != set(_MEANINGS):
        raise LookupError(f"exit codes without words, or words without a code: {sorted(known ^ set(_MEANINGS))}")
    kinds = {code_: [] for code_ in known}
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.TabGraphSynError) and kind is not errors.TabGraphSynError:
            kinds[kind.exit_code].append(f"`{name}`")
    rows = (
        (f"**{code_}**", words, cell(text), ", ".join(kinds[code_]) or "–")
        for code_, (words, text) in _MEANINGS.items()
    )
    lines = [
        "# Exit codes",
        "",
        "A launch, every verb and every stage end with one of these; a script can rely on them. An error of a user",
        "never ends in a traceback: what you see is the message, the log has the rest.",
        "",
        *table(("code", "means", "", "raised as"), rows),
        "In a script:",
        "",
        "```sh",
        "python -m tabgraphsyn.launch dataset=breast_cancer dry_run=true || code=$?",
        'case "${code:-0}" in',
        "  0) echo done ;;",
        "  2) echo 'mend the command or the data' ;;",
        "  75) echo 'run the same command again: it goes on' ;;",
        "  *) tabgraphsyn status --state failed ;;",
        "esac",
        "```",
        "",
        "`tabgraphsyn doctor` ends with 3 where something fails, `tabgraphsyn verify` where something differs. On",
        "Slurm a launch exits once its jobs are submitted: ask `tabgraphsyn status`, whose states are explained in the",
        "[runbook](slurm.md#runbook-what-status-says).",
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the page of verbs."""
    lines = [
        "# Commands",
        "",
        "`tabgraphsyn VERB ...`, also `python -m tabgraphsyn VERB ...`. Made of the command line itself when this site",
        "is built. What a launch takes stands in the [configuration reference](configuration.md).",
        "",
        *table(("verb", "answers"), ((f"[`{name}`](#{name})", cell(verb.answers)) for name, verb in VERBS.items())),
    ]
    for name in VERBS:
        lines += _verb(name)
    return "\n".join(lines) + "\n"


def _verb(name: str) -> Iterator[str]:
    groups = list(_commands(name))
    yield f"## {name}"
    yield ""
    for words, command in groups:
        if len(groups) > 1:
            yield f"### {' '.join(words)}"
            yield ""
        yield " ".join(inspect.cleandoc(command.help or VERBS[name].answers).split("\f")[0].split())
        yield ""
        yield code(" ".join(["tabgraphsyn", *words, *_usage(command)]))
        yield ""
        rows = [row for parameter in command.params if (row := _parameter(parameter))]
        if rows:
            yield from table(("option", "default", ""), rows)


def _commands(name: str) -> Iterator[tuple[list[str], Any]]:
    """Yield the words and the click command of a verb, or of each of its own verbs."""
    target = getattr(import_module(VERBS[name].module), VERBS[name].function)
    if isinstance(target, typer.Typer):
        found = typer.main.get_command(target)
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(target)
        found = typer.main.get_command(app)
    below = getattr(found, "commands", None)
    if below:
        yield from (([name, word], command) for word, command in below.items())
    else:
        yield [name], found


def _usage(command: Any) -> list[str]:
    words = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            text = (parameter.metavar or parameter.name).upper() + ("..." if parameter.nargs == -1 else "")
            words.append(text if parameter.required else f"[{text}]")
    return [*words, "[OPTIONS]"]


def _parameter(parameter: Any) -> tuple[str, str, str] | None:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return None
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        names = parameter.name.upper()
    default = parameter.default
    shown = "" if default in (None, False, (), []) or callable(default) else code(str(default))
    return code(names), "required" if parameter.required else shown, cell(getattr(parameter, "help", None) or "")
