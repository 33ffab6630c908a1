"""Secrets stay out of what is recorded: yaml files read no environment, and one redaction is for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabgraphsyn import launch
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.interpolations import interpolation_problems
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.redaction import redacted, secrets_in

PLANTED = "pl4nted-s3cret-value"


@pytest.fixture
def gift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of yaml files that somebody sent."""
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", PLANTED)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "cluster").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "value",
    ["${oc.env:WANDB_API_KEY}", "x-${oc.env:WANDB_API_KEY,none}", "${oc.decode:${oc.env:'WANDB_API_KEY'}}"],
)
@pytest.mark.parametrize("where", ["dataset", "cluster"])
def test_a_yaml_file_does_not_read_the_environment(
    gift: Path, value: str, where: str, capsys: pytest.CaptureFixture[str]
):
    text = {
        "dataset": f'defaults: [folder]\nname: "{value}"\n',
        "cluster": f'defaults: [local]\naccount: "{value}"\n',
    }[where]
    (gift / where / "gift.yaml").write_text(text)
    arguments = [f"{where}=gift", "dry_run=true", "dataset.path=x"]
    assert launch.main(arguments) == 2
    shown = capsys.readouterr()
    assert "a yaml file reads the variable 'WANDB_API_KEY'" in shown.err and PLANTED not in shown.err + shown.out
    assert launch.main(["--cfg", "job", f"{where}=gift"]) == 2
    assert PLANTED not in "".join(capsys.readouterr())
    found = compose_points([f"{where}=gift", "dataset.path=x"], multirun=False, readable=["WANDB_API_KEY"])
    assert not found.problems, "where the site policy allows it"


def test_the_command_line_reads_what_it_likes_but_no_secret_into_a_record(
    gift: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MY_SEED", "7")
    (point,) = compose_points(["seed=${oc.env:MY_SEED}"], multirun=False).points
    assert str(point.config["seed"]) == "7"
    assert launch.main(["dataset.name='${oc.env:WANDB_API_KEY}'", "dry_run=true"]) == 2
    shown = "".join(capsys.readouterr())
    assert "dataset.name: holds the value of the secret variable WANDB_API_KEY" in shown and PLANTED not in shown


def test_resolvers_that_nobody_knows_are_refused():
    raw = {"a": ["${seed}", "${oc.select:b,1}"], "b": {"c": "${file:/etc/passwd}"}, "d": "${oc.${x}:HOME}"}
    assert [text.split(":")[0] for text in interpolation_problems(raw, ())] == ["b.c", "d"]


@pytest.mark.parametrize(
    "text",
    [
        f"export TOKEN={PLANTED}", f"AWS_SECRET_ACCESS_KEY='{PLANTED}'", f'{{"api_key": "{PLANTED}"}}',
        f"curl --password {PLANTED} x", f"https://me:{PLANTED}@host/x", f"Authorization: Bearer {PLANTED}",
        f"db_password: {PLANTED}", f"a {PLANTED} b", f"HF_TOKEN={PLANTED} srun", "ghp_" + "a1B2" * 9,
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_left_out(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANY_API_KEY", PLANTED if text.startswith("a ") else "another-value")
    assert PLANTED not in redacted(text) and "<redacted>" in redacted(text)
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "primary_key: order_id", "tokens: 8", "hidden_token: 4", "password: null", "seed: 0", "sort_keys=false",
        "token: ${tracking.token}", "monkey: banana", "keys are secret here", "export PATH=/x:$PATH",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str):
    assert redacted(text) == text


def test_settings_with_secret_values_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_TOKEN", PLANTED)
    monkeypatch.setenv("HOME_TOKEN", "x")  # too short to be one
    assert list(secrets_in({"a": {"b": ["x", f"--{PLANTED}"]}, "c": 1})) == [("a.b[1]", "MY_TOKEN")]


def test_a_sweep_reads_no_environment_either(gift: Path):
    (gift / "dataset" / "gift.yaml").write_text("defaults: [folder]\nname: ${oc.env:WANDB_API_KEY}\n")
    with pytest.raises(ConfigError, match=r"dataset\.name"):
        compose_points(["dataset=gift,folder", "dataset.path=x"], multirun=True)
