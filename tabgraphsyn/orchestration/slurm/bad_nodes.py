"""Nodes on which nothing could be started: no interpreter, no container, a stale file system.

The batch script finds out in plain shell, because the interpreter may be what is missing, and adds a line to
``slurm/bad_nodes.tsv``: seconds since the epoch, campaign, node, element, exit code. The element is requeued without
that node, its array and further submissions of the campaign leave it out for a day.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.orchestration.slurm.scheduler import Scheduler

FILE = "bad_nodes.tsv"
FORGIVEN_S = 86400
UNSTARTED = "unstarted"
"""What the check of an ended element prints where no attempt of that run began."""
JUDGED = "judged"
"""What it prints otherwise, with the job's exit code."""


@dataclass(frozen=True)
class NoStart:
    """An element that could not be started."""

    time: float
    campaign: str
    node: str
    element: str
    exit_code: str

    def __str__(self) -> str:
        clock = time.strftime("%H:%M", time.localtime(self.time))
        return f"could not be started on {self.node} at {clock} (exit code {self.exit_code})"


def read(slurm_folder: Path, campaign: str | None = None) -> list[NoStart]:
    """Return what could not be started within the last day, oldest first; a line that cannot be read is left out."""
    path = slurm_folder / FILE
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split("\t")
        if len(parts) == 5 and parts[0].isdecimal() and time.time() - float(parts[0]) < FORGIVEN_S:
            found.append(NoStart(float(parts[0]), *parts[1:]))
    return [each for each in found if campaign in (None, each.campaign)]


def described(found: Sequence[NoStart]) -> Iterator[str]:
    """Yield a line for each node: what could not be started there, and until when it is left out."""
    for node in sorted({each.node for each in found}):
        own = [each for each in found if each.node == node]
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(own[-1].time + FORGIVEN_S))
        yield (
            f"node {node}: {len(own)} elements could not be started (last: {own[-1].element}, exit code "
            f"{own[-1].exit_code}); it is left out until {until}"
        )


def to_exclude(slurm_folder: Path, campaign: str, partition: str | None, scheduler: Scheduler) -> list[str]:
    """Return the nodes that a submission leaves out; none if it would leave none."""
    bad = {each.node for each in read(slurm_folder, campaign)}
    if not bad:
        return []
    where = ("-p", partition) if partition else ()
    done = scheduler.call("sinfo", "-h", "-N", *where, "-o", "%N", check=False)
    others = set(str(done.stdout).split()) - bad
    return sorted(bad) if others else []


def shell_lines(again: str, slurm_folder: Path, campaign: str, excluded: str, most: int, *, is_lane: bool) -> list[str]:
    """Return the end of a batch script: what is done after a process that did not end well.

    Args:
        again: command that judges, with ``--ended``; it may not start here either.
        slurm_folder: of the store.
        campaign: whose nodes are left out.
        excluded: nodes that the user leaves out.
        most: times that an element may fail to start.
        is_lane: the next task goes on, so nothing is requeued.
    """
    values = {
        "again": again,
        "file": shlex.quote(str(slurm_folder / FILE)),
        "campaign": shlex.quote(campaign),
        "excluded": shlex.quote(excluded),
        "most": most,
        "oldest": FORGIVEN_S,
        "requeue": "true" if is_lane else 'scontrol requeue "$element"',
    }
    return [line for line in _SHELL.format(**values).splitlines() if line]


_SHELL = r"""
trap '' TERM USR2
verdict=$({again} "$code")
case "$verdict" in *"judged "*) exit "${{verdict##*judged }}" ;; esac
[ "$code" -eq 0 ] && code=1
node="${{SLURMD_NODENAME:-$(hostname)}}"
element="${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}"
if [ "$code" -gt 128 ] && [ "$code" -lt 193 ] || [ "$code" -eq 253 ]; then exit "$code"; fi
shown=$(command -v scontrol >/dev/null && scontrol show job -o "$element")
case "$shown" in ""|*JobState=RUNNING*) ;; *) exit "$code" ;; esac
echo "nothing could be started on node $node: exit code $code" >&2
printf -v now '%(%s)T' -1
printf '%s\t%s\t%s\t%s\t%s\n' "$now" {campaign} "$node" "$element" "$code" >> {file}
tries=0
bad={excluded}
while IFS=$'\t' read -r when who where what rest; do
  [ "$who" = {campaign} ] && [ "$((now - when))" -lt {oldest} ] || continue
  [ "$what" = "$element" ] && tries=$((tries + 1))
  case ",$bad," in *",$where,"*) ;; *) bad="${{bad:+$bad,}}$where" ;; esac
done < {file}
others=""
for each in $(sinfo -h -N -t idle,mix,alloc,comp -p "$SLURM_JOB_PARTITION" -o %N); do
  case ",$bad," in *",$each,"*) ;; *) others="$each" ;; esac
done
if [ -z "$others" ]; then echo "no other node is left: it is not the node" >&2; exit "$code"; fi
if [ "$tries" -gt {most} ]; then echo "$tries times: giving up (cluster.max_failures)" >&2; exit "$code"; fi
{requeue} || exit "$code"
scontrol update JobId="${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}" ExcNodeList="$bad"
sleep 30
exit "$code"
"""
