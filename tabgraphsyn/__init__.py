"""TabGraphSyn: synthetic relational data as a DAG of batch jobs.

import tabgraphsyn as tgs

db = tgs.load("my_tables/")
model = tgs.fit(db, experiment="quickstart")
tables = model.sample(scale=2)
scores = tgs.evaluate(db, tables)
scores.report()
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabgraphsyn.python.database import Database, load
    from tabgraphsyn.python.model import Model, fit, load_model
    from tabgraphsyn.python.scores import Scores, evaluate
    from tabgraphsyn.python.tables import Tables

__version__ = "0.1.0"
__all__ = ["Database", "Model", "Scores", "Tables", "evaluate", "fit", "load", "load_model"]

# Before any library loads OpenMP: idle threads sleep instead of spinning. On a core that another process uses, two
# spinning threads of torch were fifty times slower than two sleeping ones (docs/log.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {
    "Database": "database",
    "load": "database",
    "Model": "model",
    "fit": "model",
    "load_model": "model",
    "Scores": "scores",
    "evaluate": "scores",
    "Tables": "tables",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, then: the package is imported by every command, which must answer at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tabgraphsyn.python.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
