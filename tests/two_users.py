"""Two users with a group in common, and a folder of that group. Only root can be two others."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_NAMES = ("games", "news", "backup", "man", "www-data", "daemon")


@dataclass(frozen=True)
class User:
    """One of the two: who, with which group, and an interpreter that may be run."""

    entry: pwd.struct_passwd
    group: int
    python: str
    home: Path
    environment: dict[str, str]

    @property
    def name(self) -> str:
        """Login name."""
        return str(self.entry.pw_name)

    def run(self, *command: str, umask: int = 0o022, code: int = 0) -> str:
        """Run ``python COMMAND`` as this user; return what it printed."""
        done = subprocess.run(
            [self.python, *command],
            env=self.environment, cwd=self.home, umask=umask,
            user=self.entry.pw_uid, group=self.group, extra_groups=[self.group],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        text = done.stdout + done.stderr
        assert done.returncode == code, text
        return text


def environment_of(user: pwd.struct_passwd, home: str, *paths: Path) -> dict[str, str]:
    # An interpreter of the system's does not follow the path files of this one's environment.
    packages = [path for path in sys.path if path.endswith("site-packages")]
    own = {"HOME": home, "USER": user.pw_name, "LOGNAME": user.pw_name, "PYTHONDONTWRITEBYTECODE": "1"}
    path = os.pathsep.join([str(ROOT), *map(str, paths), *packages])
    return {**os.environ, **own, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def python_for(user: pwd.struct_passwd, modules: str) -> str | None:
    """An interpreter of this version that another user may run; this one often lies in root's home."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = f"import sys; print(f'{{sys.version_info.major}}.{{sys.version_info.minor}}'); import {modules}"
    for path in (sys.executable, f"/usr/bin/python{wanted}", "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [path, "-c", code],
                user=user.pw_uid, group=user.pw_gid, extra_groups=[], env=environment_of(user, "/"),
                capture_output=True, text=True, check=False, cwd="/",
            )  # fmt: skip
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.split() == [wanted]:
            return path
    return None


@contextmanager
def two_users(*paths: Path, modules: str = "psutil, omegaconf") -> Iterator[tuple[Path, User, User]]:
    """Yield a folder that all may enter, with ``shared`` of the common group in it, and the two users.

    Args:
        paths: what they import besides the project.
        modules: what their interpreter must have.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can run processes as two other users")
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    chosen = [known[name] for name in _NAMES if name in known][:2]
    python = python_for(chosen[0], modules) if len(chosen) == 2 else None
    if python is None:
        pytest.skip("no interpreter with this project's packages that another user may run")
    group = next(entry.gr_gid for entry in grp.getgrall() if entry.gr_name in ("users", "nogroup", "games"))
    place = Path(tempfile.mkdtemp(prefix="tgs-users-"))
    try:
        place.chmod(0o755)
        shared = place / "shared"
        shared.mkdir()
        os.chown(shared, 0, group)
        shared.chmod(0o2775)
        found = []
        for entry in chosen:
            home = place / entry.pw_name
            home.mkdir()
            os.chown(home, entry.pw_uid, group)
            found.append(User(entry, group, python, home, environment_of(entry, str(home), *paths)))
        yield place, found[0], found[1]
    finally:
        shutil.rmtree(place, ignore_errors=True)
