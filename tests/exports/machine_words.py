"""What only this machine would say, for tests that nothing of it is handed on."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path


def words_of_this_machine(*places: Path) -> list[str]:
    """Return places, home, working folder and host name, but for what any text may hold: ``/app``, a host ``node``."""
    found = [str(place) for place in (*places, Path.cwd(), Path(os.environ.get("HOME", "/")))]
    host = socket.gethostname()
    told = [word for word in found if len(word) > 6]
    return told + ([host] if len(host) > 6 and re.search(r"[0-9.-]", host) else [])
