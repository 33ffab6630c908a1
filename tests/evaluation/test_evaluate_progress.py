"""What a person sees while an evaluation runs: a bar on a terminal, plain lines in a file."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from tabgraphsyn.evaluation.run import Part
from tabgraphsyn.verbs.evaluate_progress import progress_bar

SCRIPT = """
from tabgraphsyn.evaluation.run import Part
from tabgraphsyn.verbs.evaluate_progress import progress_bar
with progress_bar("shop/SDV/1/sample1") as begins:
    for done, name in enumerate(["reading tables", "c2st (synthetic)", "null_rates (copy)", "keys (copy)", ""]):
        begins(Part(done, 4 if done else 0, name))
"""


def on_a_terminal(width: int) -> str:
    """Return what the script draws on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=theirs, env=environment | {"TERM": "xterm"}
    ) as process:
        os.close(theirs)
        drawn = b""
        while chunk := _read(ours):
            drawn += chunk
        assert process.stdout is not None and process.stdout.read() == b""
    os.close(ours)
    assert process.returncode == 0
    return drawn.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: the other end of the terminal is closed
        return b""


@pytest.mark.parametrize("width", [120, 60])
def test_a_terminal_shows_metric_percentage_and_time_and_is_left_clean(width):
    drawn = on_a_terminal(width)
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]+", drawn)]
    assert any(re.search(r"25% \d:\d\d:\d\d .*c2st \(synthetic\) shop", line) for line in lines), lines
    assert any(re.search(r"75% \d:\d\d:\d\d .*keys \(copy\) shop", line) for line in lines), lines
    assert any(re.search(r"\d:\d\d:\d\d .*reading tables", line) and "%" not in line for line in lines), lines
    assert max(map(len, lines)) <= width
    assert drawn.rstrip().endswith("\x1b[2K")  # the bar's line is erased


def test_a_file_gets_a_plain_line_per_part(capsys):
    with progress_bar("shop") as begins:
        begins(Part(0, 0, "reading tables"))
        for done, name in enumerate(["keys (synthetic)", "keys (copy)", "c2st (copy)", ""]):
            begins(Part(done, 3, name))
    captured = capsys.readouterr()
    assert [re.sub(r"^\d:\d\d:\d\d ", "", line) for line in captured.err.splitlines()] == [
        "reading tables shop",
        "  0 % keys (synthetic) shop",
        " 33 % keys (copy) shop",
        " 66 % c2st (copy) shop",
    ]
    assert captured.out == ""
