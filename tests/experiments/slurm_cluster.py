# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A real Slurm of one machine with two CPUs, on loopback."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
# Debian puts the daemons where only root looks for them.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_PATIENCE_SECONDS = 60

_SLURM_CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=localhost Default=YES
"""


def missing() -> str:
    """Says what a cluster needs that is not installed; "" if all is."""
    names = [name for name in _PROGRAMS if not shutil.which(name, path=_PATH)]
    return ", ".join(names)


class Cluster(contextlib.ExitStack):
    """Starts the daemons, and ends them and all jobs. A context manager.

    Attributes:
        environment: of processes that are to use it.
    """

    def __enter__(self) -> "Cluster":
        super().__enter__()
        # What munged and Slurm keep must lie where others cannot write.
        self._folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory(prefix="slurm"))
        )
        for name in ("controller", "node"):
            (self._folder / name).mkdir()
        conf = self._folder / "slurm.conf"
        self.environment = {
            **os.environ,
            "PATH": _PATH,
            "SLURM_CONF": str(conf),
        }
        key = self._folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            text = _SLURM_CONF.format(
                folder=self._folder,
                host=socket.gethostname().partition(".")[0],
                user=subprocess.check_output(["id", "-un"], text=True).strip(),
                controller_port=one.getsockname()[1],
                node_port=other.getsockname()[1],
            )
        conf.write_text(text)
        try:
            self._start(
                *("munged", "--foreground", "--force", f"--key-file={key}"),
                *(
                    f"--{kind}-file={self._folder / 'munge'}.{kind}"
                    for kind in ("log", "pid", "seed")
                ),
                f"--socket={self._folder / 'munge.socket'}",
            )
            self._wait_for((self._folder / "munge.socket").exists)
            self._start("slurmctld", "-D", "-c")
            self._start("slurmd", "-D", "-N", "localhost")
            self._wait_for(
                lambda: self._output("sinfo", "-h", "-o", "%t") == "idle"
            )
        except BaseException:
            self.close()
            raise
        # Before the daemons end.
        self.callback(self._end_jobs)
        return self

    def jobs(self) -> dict[str, str]:
        """Those that wait, run or are being ended: their ids by their names."""
        lines = self._output("squeue", "-h", "-o", "%j %A").splitlines()
        return dict(line.rsplit(maxsplit=1) for line in lines)

    def cancel(self, name: str) -> None:
        """Cancels the job of a name."""
        subprocess.check_call(
            ["scancel", self.jobs()[name]], env=self.environment
        )

    def _start(self, *command: str) -> None:
        log = self._folder / f"{command[0]}.out"
        with log.open("w") as file:
            process = subprocess.Popen(
                command, env=self.environment, stdout=file, stderr=file
            )
        self.callback(process.wait, _PATIENCE_SECONDS)
        self.callback(process.terminate)

    def _end_jobs(self) -> None:
        subprocess.check_call(
            ["scancel", "--signal=KILL", "--full", "--me"],
            env=self.environment,
        )
        self._wait_for(lambda: not self.jobs())

    def _output(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True
        )
        return done.stdout.strip()

    def _wait_for(self, is_there) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_there():
            if time.monotonic() > deadline:
                logs = [p.read_text() for p in self._folder.glob("*.out")]
                raise RuntimeError("Slurm did not start:\n" + "\n".join(logs))
            time.sleep(0.1)
