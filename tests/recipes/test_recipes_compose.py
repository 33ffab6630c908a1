"""Every recipe in launch/ composes: each launch that it makes passes every check, without computing anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path for path in (ROOT / "launch").glob("*.sh") if "bench_" not in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe_plans(recipe, tmp_path):
    environment = {**os.environ, "PYTHON": sys.executable}
    overrides = ["dry_run=true", f"output_dir={tmp_path}", "dataset=breast_cancer"]
    done = subprocess.run(
        [shutil.which("bash"), str(recipe), *overrides], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "diffusion" in done.stdout
    assert not any(tmp_path.iterdir())
