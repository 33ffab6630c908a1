"""A study's folder: what is searched (``study.json``), Optuna's journal, a file a trial of who runs it.

The journal has one writer at a time, under the store's lock, whoever that is: the client, or the last stage of a trial.
It could be lost: every value in it stands in the store too.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import builtins
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.campaign.studies import STUDY, StudyForm, study_folder
from tabgraphsyn.orchestration.stored.ledger import submission_lock
from tabgraphsyn.orchestration.stored.records import below
from tabgraphsyn.orchestration.stored.trust import require_own
from tabgraphsyn.tuning.space import distribution

if TYPE_CHECKING:
    import optuna

JOURNAL = "journal.log"


def require_optuna() -> None:
    """Refuse where Optuna is not installed.

    Raises:
        ConfigError: with what to install.
    """
    try:
        import optuna  # noqa: F401 - asked whether it is there
    except ImportError as error:
        raise ConfigError("tune: needs Optuna. Install it: pip install 'tabgraphsyn[tune]'.") from error


def save_study(output_dir: Path, study: StudyForm) -> None:
    """Write a study's record; the same one again changes nothing.

    Raises:
        ConfigError: one of that name that searches for something else.
    """
    from tabgraphsyn.orchestration.campaign.studies import read_study

    path = study_folder(output_dir, study.name) / STUDY
    if path.is_file():
        former = read_study(output_dir, study.name)
        study.cwd = former.cwd
        free = {"trials": 0, "parallel": 0}
        if {**builtins(former), **free} != {**builtins(study), **free}:
            raise ConfigError(
                f"{study.name}: this study searches for something else already. Go on with it: `tabgraphsyn tune "
                f"{study.name}`, or choose another name."
            )
    write_json(path, builtins(study))


class _Held:
    """Optuna's own lock of the file: the store's is held around all of it."""

    def acquire(self) -> bool:
        """Say that it is had."""
        return True

    def release(self) -> None:
        """Give nothing back."""


@contextmanager
def opened(output_dir: Path, study: StudyForm) -> Iterator[optuna.Study]:
    """Yield the study's trials, for as long as this process alone may write them.

    Raises:
        StageError: another user's study.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    folder = study_folder(output_dir, study.name)
    require_own(folder / STUDY)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with submission_lock(output_dir), warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        path = below(folder, JOURNAL)
        _cut_torn_line(path)
        storage = JournalStorage(JournalFileBackend(str(path), lock_obj=_Held()))  # type: ignore[arg-type]
        ways = optuna.study.StudyDirection
        directions = [ways.MAXIMIZE if each.maximize else ways.MINIMIZE for each in study.objectives]
        yield optuna.create_study(storage=storage, study_name=study.name, directions=directions, load_if_exists=True)


def _cut_torn_line(path: Path) -> None:
    """Remove a last line that a kill or a full disk cut off: the next one would be joined to it."""
    if not path.is_file():
        return
    with path.open("rb+") as handle:
        content = handle.read()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            handle.truncate(end)
            handle.flush()
            os.fsync(handle.fileno())


def distributions(study: StudyForm) -> dict[str, Any]:
    """Return what Optuna draws each setting from."""
    return {key: distribution(key, text) for key, text in study.space.items()}


def sampler(study: StudyForm, asked: int) -> Any:
    """Return the sampler of the next trial: its draws depend on the study's seed, its number and the trials before."""
    import optuna

    startup = max(3, min(10, study.trials // 3))
    return optuna.samplers.TPESampler(seed=study.seed * 100_003 + asked, n_startup_trials=startup)
