"""What an interruption costs in steps: ``python scripts/bench_lost_work.py [--repeat 6] [--save-every-s 5]``.

The diffusion stage of the embedded data set's largest table runs in a process of its own, is sent SIGTERM (a
preemption) or SIGKILL (a lost node) at random moments, and goes on from its checkpoints. Lost are the steps that had
been taken and were not in the checkpoint that the next attempt resumed from. The exit code is 1 where an interruption
that can be handled loses a step, or another one more than a save interval.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bench_stages import PROBE_STEPS, Line, composed, one_core

from tabgraphsyn.errors import Interrupted
from tabgraphsyn.stages import diffusion
from tabgraphsyn.tracking.jsonl import whole_lines
from tabgraphsyn.training.interrupt import SignalFlag

STEPS = 1_000_000
START_S = 60.0
RESUMED = re.compile(r"resumed at step (\d+)")


@dataclass(frozen=True)
class Loss:
    """What one interruption lost.

    Attributes:
        taken: steps taken before it.
        resumed: step that the next attempt went on from.
        steps_per_s: of the interrupted attempt.
    """

    taken: int
    resumed: int
    steps_per_s: float

    @property
    def steps(self) -> int:
        """Return the number of lost steps."""
        return self.taken - self.resumed

    @property
    def seconds(self) -> float:
        """Return the seconds that the lost steps took."""
        return self.steps / self.steps_per_s


class Training:
    """One stage that never ends by itself, in a folder of its own."""

    def __init__(self, folder: Path, save_every_s: float) -> None:
        self.line = Line(composed([]), folder / "line")
        for stage in ("ingest", "prepare", "structure"):
            self.line.run(stage)
        self.table, *_ = self.line.tables()
        for table in self.line.tables():
            self.line.run("autoencoder", table, {"steps": PROBE_STEPS})
        self.line.run("gnn", None, {"steps": PROBE_STEPS})
        self.folder, self.log = folder / "stage", folder / "log.txt"
        self.changes = {"steps": STEPS, "save_every_s": save_every_s, "log_every": 1, "validate_every": STEPS}

    def interrupted(self, number: signal.Signals, after_s: float) -> tuple[int, float]:
        """Run an attempt, send it a signal ``after_s`` after its first step; return its last step and its speed."""
        before = self.step()
        child = os.fork()
        if not child:
            self._attempt()
        limit = time.monotonic() + START_S
        while self.step() <= before:
            if time.monotonic() > limit or os.waitpid(child, os.WNOHANG)[0]:
                raise RuntimeError(f"{self.log}: no step within {START_S:g} s:\n{self.log.read_text()}")
            time.sleep(0.05)
        begun, first = time.monotonic(), self.step()
        time.sleep(after_s)
        seconds, taken = time.monotonic() - begun, self.step()
        os.kill(child, number)
        os.waitpid(child, 0)
        return self.step(), (taken - first) / seconds

    def step(self) -> int:
        """Return the last step that was logged."""
        lines = whole_lines(self.folder / "metrics.jsonl")
        return int(lines[-1]["step"]) if lines else 0

    def resumed(self) -> list[int]:
        """Return the steps that attempts resumed from, in their order."""
        return [int(step) for step in RESUMED.findall(self.log.read_text())]

    def _attempt(self) -> NoReturn:
        logging.basicConfig(filename=self.log, level=logging.INFO, force=True)
        code = 1
        with SignalFlag() as interrupt:
            try:
                diffusion.run(self.line.context("diffusion", self.table, self.changes, self.folder, interrupt))
            except Interrupted:
                code = 75
            except Exception:
                logging.exception("the attempt failed")
            finally:
                os._exit(code)


def losses(training: Training, number: signal.Signals, repeat: int, longest_s: float) -> list[Loss]:
    """Interrupt ``repeat`` attempts at random moments; every attempt but the first resumes the one before."""
    generator, found = random.Random(int(number)), []
    for _ in range(repeat):
        taken, speed = training.interrupted(number, generator.uniform(0.3, longest_s))
        # The next attempt says where it goes on; it is the one that the next signal strikes.
        training.interrupted(signal.SIGTERM, 0.3)
        found.append(Loss(taken, training.resumed()[-1], speed))
    return found


def main() -> int:
    """Interrupt, print a row per signal; return 1 where more was lost than may be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=6, help="interruptions by each signal")
    parser.add_argument("--save-every-s", type=float, default=5.0)
    arguments = parser.parse_args()
    logging.disable(logging.DEBUG)
    print(f"{one_core()}, one core, a checkpoint every {arguments.save_every_s:g} s\n")
    is_bad = False
    with tempfile.TemporaryDirectory() as folder:
        training = Training(Path(folder), arguments.save_every_s)
        for number in (signal.SIGTERM, signal.SIGKILL):
            found = losses(training, number, arguments.repeat, 2 * arguments.save_every_s)
            steps, seconds = [each.steps for each in found], [each.seconds for each in found]
            speed = statistics.median(each.steps_per_s for each in found)
            print(
                f"{number.name}: {len(found)} times at {speed:.0f} steps/s, lost steps {steps}, "
                f"median {statistics.median(seconds):.1f} s, most {max(seconds):.1f} s",
                flush=True,
            )
            most = 0.0 if number == signal.SIGTERM else arguments.save_every_s + 1.0
            is_bad = is_bad or max(seconds) > most
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
