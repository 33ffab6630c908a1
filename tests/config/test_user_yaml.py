from pathlib import Path

import pytest

from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.errors import ConfigError

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 12)}]\n" for n in range(1, 12)
)  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [(LAUGHS, "aliases"), ("name: " + "x" * (2 << 20), "bytes")])
def test_a_yaml_that_somebody_sent_is_looked_at_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "gift.yaml").write_text(text)
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    with pytest.raises(ConfigError, match=rf"gift\.yaml.*{words}"):
        compose_points(["dataset=gift"], multirun=False)


def test_a_few_aliases_are_a_way_to_write_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("path: &p /x\nname: mine\nmetadata: *p\n")
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    assert len(compose_points(["dataset=mine"], multirun=False).points) == 1
