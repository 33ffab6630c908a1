"""Hand mutated input to the readers of what strangers hand over, and count how each try ended.

``python scripts/fuzz.py bundles --count 5000`` changes a good bundle in one to three places, one try after another in
this process, and samples from it. Each try must end well or with one message for the user (exit code 2), within
``--limit`` seconds. Anything else (a traceback, another exit code, a hang, a result with NaN in it) is a fault: it is
printed with the number that makes it again (``--only``), and the exit code is 1.

A target is a function of a module beside this one, named in ``TARGETS``: given a folder it makes what is mutated there
and returns a function from a random generator to a ``Try``. ``overrides``, ``files`` and ``metadata`` need no bundle;
``bundles`` and ``wishes`` train a small one where ``--bundle`` names none.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tabgraphsyn.errors import EXIT_USER, TabGraphSynError, place_problem

TARGETS = {
    "bundles": "fuzz_bundles:prepare",
    "files": "fuzz_files:prepare_files",
    "metadata": "fuzz_files:prepare_metadata",
    "overrides": "fuzz_overrides:prepare",
    "wishes": "fuzz_wishes:prepare",
}
DONE, REFUSED = "done", "refused"
MOST_LETTERS = 5_000
"""A message that is longer is no message."""
WAITS = 10
"""So many times its seconds of processor a try may take by the clock."""


@dataclass(frozen=True)
class Try:
    """One mutated input.

    Attributes:
        words: what was changed.
        run: hands it over; returns what is wrong with the result, or None.
    """

    words: str
    run: Callable[[], str | None]


@dataclass(frozen=True)
class Outcome:
    """How a try ended.

    Attributes:
        kind: ``done``, ``refused``, or a fault: ``traceback``, ``exit code``, ``hang``, ``result``, ``message``.
        words: the message, or what is wrong.
    """

    kind: str
    words: str = ""

    @property
    def is_fault(self) -> bool:
        """True for anything but a result and a refusal."""
        return self.kind not in (DONE, REFUSED)


class Hang(BaseException):
    """A try took longer than it may."""


def outcome(attempt: Try, limit_s: float) -> Outcome:
    """Run one try and say how it ended."""
    former = {one: signal.signal(one, _out_of_time) for one in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_PROF, limit_s)  # a busy machine is no hang
    signal.setitimer(signal.ITIMER_REAL, WAITS * limit_s)
    try:
        problem = attempt.run()
        return Outcome(DONE) if problem is None else Outcome("result", problem)
    except Hang:
        return Outcome("hang", f"over {limit_s:g} s\n{traceback.format_exc(limit=-3)}")
    except TabGraphSynError as error:
        return _refusal(error)
    except OSError as error:
        problem = place_problem(error)
        return Outcome("traceback", traceback.format_exc()) if problem is None else Outcome(REFUSED, problem)
    except Exception:
        return Outcome("traceback", traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for one, handler in former.items():
            signal.signal(one, handler)


def _out_of_time(signum: int, frame: FrameType | None) -> None:
    raise Hang


def _refusal(error: TabGraphSynError) -> Outcome:
    if error.exit_code != EXIT_USER:
        return Outcome("exit code", f"{error.exit_code}: {error}")
    if len(str(error)) > MOST_LETTERS:
        return Outcome("message", f"{len(str(error))} letters: {str(error)[:200]} ...")
    return Outcome(REFUSED, str(error))


def fuzz(
    target: str,
    numbers: range,
    seed: int,
    limit_s: float,
    tell: Callable[[str], object] = print,
    **more: Path,
) -> Counter[str]:
    """Return how many tries ended how; faults are told one by one. ``more`` goes to the target: ``bundle``."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        module, _, function = TARGETS[target].partition(":")
        make = getattr(importlib.import_module(module), function)(Path(folder), **more)
        for number in numbers:
            attempt = make(random.Random(f"{target}:{seed}:{number}"))
            found = outcome(attempt, limit_s)
            counts[found.kind] += 1
            if found.is_fault:
                tell(f"--only {number}: {found.kind}: {attempt.words}\n{found.words}\n")
    return counts


def main() -> int:
    """Fuzz one target and print the counts as json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--count", type=int, default=200, help="tries")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="number of the one try to make again")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds of processor that one try may take")
    parser.add_argument("--bundle", type=Path, help="a trained bundle for the targets 'bundles' and 'wishes'")
    options = parser.parse_args()
    numbers = range(options.count) if options.only is None else range(options.only, options.only + 1)
    more = {"bundle": options.bundle.resolve()} if options.bundle else {}
    started = time.monotonic()
    counts = fuzz(options.target, numbers, options.seed, options.limit, **more)
    print(json.dumps({"target": options.target, "seed": options.seed, **counts, "s": time.monotonic() - started}))
    return 1 if set(counts) - {DONE, REFUSED} else 0


if __name__ == "__main__":
    sys.exit(main())
