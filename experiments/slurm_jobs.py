# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands as jobs of Slurm, for `sweep.py`; submitit writes and sends them.

What Slurm itself and the folders say is all that is remembered: whoever waits
for the jobs may be killed, and called again.
"""

import pathlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

# So many seconds before a job's time is over it gets SIGTERM, as from scancel:
# training stops with its state saved. (submitit's own signal would kill it.)
_SIGNAL = "TERM@90"
# Longest time between two looks at the queue.
_PATIENCE_SECONDS = 30


def run(
    commands: Mapping[str, Sequence[str]],
    folder: pathlib.Path,
    options: Sequence[str],
    is_done: Callable[[str], bool],
) -> Iterator[tuple[str, pathlib.Path | None]]:
    """Runs each command as a job, at most once, and yields it when it ends.

    A command that is done is not run. One that a job of an earlier call still
    runs is waited for, and is run only if that job leaves it undone.

    Args:
        commands: by name; run in the folder and environment of this process.
        folder: shared by all machines; each command gets a folder of its name
            for its log and what submitit needs.
        options: of sbatch, each ``name=value``, or ``name`` alone.
        is_done: tells by name whether a command has done its work.

    Yields:
        The name, and the log of its job if that has left it undone.

    Raises:
        ModuleNotFoundError: if submitit is not installed.
        RuntimeError: if Slurm is not here, or refuses a job.
    """
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "--launcher=slurm submits jobs with submitit, which is not "
            "installed: pip install submitit, or pip install -e '.[slurm]'"
        ) from error

    def submit(name: str):
        executor = submitit.SlurmExecutor(folder / name)
        executor.update_parameters(
            job_name=name,
            time=None,  # as long as the partition allows, not 5 minutes
            stderr_to_stdout=True,
            additional_parameters={"signal": _SIGNAL, **_parse(options)},
        )
        # A command and no function: what the caller has imported and parsed
        # need not be pickled.
        return executor.submit(
            submitit.helpers.CommandFunction(list(commands[name]))
        )

    jobs: dict[str, Any] = {}
    left = list(commands)
    seconds = 1.0
    while True:
        queue = _queue()
        for name in tuple(left):
            if queue & _ids(folder / name):
                continue
            if is_done(name):
                left.remove(name)
                yield name, None
            elif name not in jobs:
                jobs[name] = submit(name)
                print(f"{name}: job {jobs[name].job_id}", flush=True)
            else:
                left.remove(name)
                yield name, jobs[name].paths.stdout
        if not left:
            return
        time.sleep(seconds)
        seconds = min(1.5 * seconds, _PATIENCE_SECONDS)


def _parse(options: Sequence[str]) -> dict[str, str | bool]:
    """Names, spelt as submitit does, and values; true for a name alone."""
    found: dict[str, str | bool] = {}
    for option in options:
        name, has_value, value = option.partition("=")
        found[name.strip("-").replace("-", "_")] = value if has_value else True
    return found


def _ids(folder: pathlib.Path) -> set[str]:
    """All jobs that were ever submitted for a command."""
    scripts = folder.glob("*_submission.sh")
    return {script.name.partition("_")[0] for script in scripts}


def _queue() -> set[str]:
    """The user's jobs that wait, run or are being ended.

    Whether a job has ended is asked of squeue: sacct, which submitit asks,
    knows nothing on a cluster without an accounting database.
    """
    command = ["squeue", "--me", "--noheader", "--format=%A"]
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or error
        raise RuntimeError(
            "--launcher=slurm: Slurm does not say which jobs there are "
            f"({' '.join(command)}: {str(why).strip()}). Jobs that run go on: "
            "give the same command again when it does"
        ) from error
    return set(done.stdout.split())
