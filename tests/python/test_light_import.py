"""``import tabgraphsyn`` is part of every command, so it loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys


def test_the_import_is_light_and_says_what_there_is() -> None:
    code = (
        "import sys, tabgraphsyn as tgs\n"
        "heavy = {'torch', 'pandas', 'pyarrow', 'numpy', 'hydra', 'rich', 'wandb', 'optuna', 'IPython'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert {'load', 'fit', 'evaluate', 'load_model'} <= set(dir(tgs))\n"
        "assert not hasattr(tgs, 'fitt')\n"
        "tgs.load, tgs.fit, tgs.evaluate, tgs.load_model\n"
        "assert not {'torch', 'pandas', 'wandb'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
