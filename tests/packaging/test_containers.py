"""The recipes of images install the same pinned packages, copy what is there, and keep the rules of such files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE, DEFINITION = ROOT / "containers" / "Dockerfile", ROOT / "containers" / "tabgraphsyn.def"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile: continued lines are one, comments none."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [
        (line.split()[0].upper(), line.split(maxsplit=1)[1])
        for line in lines.replace("\\\n", " ").splitlines()
        if line.split()
    ]


def faults(text: str) -> list[str]:
    """Return what a Dockerfile does that it should not."""
    found, given = [], instructions(text)
    names = [name for name, _ in given]
    last = names[len(names) - names[::-1].index("FROM") :]
    bases = [rest.split()[0] for name, rest in given if name == "FROM"]
    arguments = dict(rest.partition("=")[::2] for name, rest in given if name == "ARG")
    for base in bases:
        tag = arguments.get(base.strip("${}"), base) if base.startswith("$") else base
        if ":" not in tag or tag.endswith(":latest"):
            found.append(f"a base without a version: {tag}")
    if "USER" not in last or dict(given)["USER"].split(":")[0] in ("root", "0"):
        found.append("runs as root")
    found += [f"ADD instead of COPY: {rest}" for name, rest in given if name == "ADD"]
    for name, rest in given:
        if name == "RUN" and "pip install" in rest and not {"--no-cache-dir", "--constraint"} <= set(rest.split()):
            found.append(f"packages without pins, or with a cache: {rest}")
        if name == "RUN" and re.search(r"(curl|wget)[^|]*\|\s*(ba)?sh", rest):
            found.append(f"runs what it fetches: {rest}")
        if name in ("CMD", "ENTRYPOINT") and not rest.startswith("["):
            found.append(f"{name} through a shell: {rest}")
        if name in ("ENV", "ARG") and re.search(r"(token|password|secret|api_?key)\w*=\S", rest, re.IGNORECASE):
            found.append(f"a secret: {rest}")
    return found


GOOD = 'FROM python:3.11-slim\nRUN pip install --no-cache-dir --constraint c.txt x\nUSER me\nCMD ["x"]\n'


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (("python:3.11-slim", "python"), "version"),
        (("python:3.11-slim", "python:latest"), "version"),
        (("USER me", "USER root"), "root"),
        (("USER me\n", ""), "root"),
        (("--constraint c.txt", ""), "pins"),
        (('["x"]', "x"), "shell"),
        (("USER me", "ENV WANDB_API_KEY=abc\nUSER me"), "secret"),
        (("USER me", "ADD . /x\nUSER me"), "ADD"),
        (("RUN pip", "RUN curl https://x | sh\nRUN pip"), "fetches"),
    ],
)
def test_the_lint_finds_faults(changed: tuple[str, str], fault: str):
    assert faults(GOOD) == []
    (found,) = faults(GOOD.replace(*changed))
    assert fault in found


def test_the_dockerfile_has_no_fault():
    assert faults(DOCKERFILE.read_text(encoding="utf-8")) == []


def sections() -> dict[str, list[str]]:
    """Return the sections of the Apptainer definition: name -> lines."""
    found: dict[str, list[str]] = {}
    for line in DEFINITION.read_text(encoding="utf-8").splitlines():
        if line.startswith("%"):
            found[line[1:]] = []
        elif found and line.strip():
            found[list(found)[-1]].append(line.strip())
    return found


def _pip(lines: list[str]) -> list[str]:
    """Return the installations, their arguments spelt alike."""
    chosen = [line for line in lines if "pip install" in line]
    return [re.sub(r"\$\{(\w+)\}|\{\{ (\w+) \}\}", lambda found: f"<{found[1] or found[2]}>", line) for line in chosen]


def test_both_recipes_install_the_same():
    docker = instructions(DOCKERFILE.read_text(encoding="utf-8"))
    parts = sections()
    assert _pip([rest for name, rest in docker if name == "RUN"]) == _pip(parts["post"])
    arguments = {rest.replace('""', "") for name, rest in docker if name == "ARG"}
    assert arguments == set(parts["arguments"])
    assert "constraints.txt" in " ".join(_pip(parts["post"]))


def test_what_is_copied_is_there_and_enough_to_build():
    copied = {
        source
        for name, rest in instructions(DOCKERFILE.read_text(encoding="utf-8"))
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == {line.split()[0] for line in sections()["files"]}
    assert all((ROOT / name).exists() for name in copied)
    # What a wheel is built of (pyproject.toml), and what the build context lets through.
    assert {"pyproject.toml", "README.md", "LICENSE", "conf", "tabgraphsyn", "constraints.txt"} == copied
    ignore = (ROOT / "containers" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {line[1:] for line in ignore if line.startswith("!")} == copied


@pytest.mark.parametrize("name", ["post", "environment", "runscript", "test"])
def test_sections_of_the_definition_are_shell(name: str):
    code = re.sub(r"\{\{ \w+ \}\}", "x", "\n".join(sections()[name]))
    assert subprocess.run(["sh", "-n"], input=code, text=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not at hand")
def test_hadolint_finds_nothing():
    done = subprocess.run(["hadolint", str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("site", sorted((ROOT / "conf" / "cluster").glob("example_*.yaml")), ids=lambda path: path.stem)
def test_example_sites_compose_and_pass_every_check(site: Path):
    from tabgraphsyn.config.checks import config_problems
    from tabgraphsyn.config.composition import compose_points
    from tabgraphsyn.config.top_level import COMPONENT_GROUPS

    composed = compose_points([f"cluster={site.stem}"], multirun=False)
    (point,) = composed.points
    assert not composed.problems
    assert not config_problems(point.config, point.missing, (*COMPONENT_GROUPS, "tracking"), point.added)
    assert point.config["cluster"]["executor"] == "slurm"
