"""Checks that PyTorch's `torchrun` and SLURM's `srun` start the processes of a run: two of them train as
one process that accumulates two batches. SLURM's daemons are started on this machine for that; where they
cannot be started, that is said.

Needs the packages of requirements.txt, and for SLURM those of Debian, slurm-wlm and munge, and root; no
network, no GPU, two minutes. Usage:

    python tests/python/launchers.py PROGRAM WORKDIR
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import check, main, ok

FLAGS = [
    "train", "--json", "--model-name-or-path", "random", "--threads", "1", "--bf16", "false",
    "--max-train-samples", "100", "--max-eval-samples", "45",
    "--per-device-train-batch-size", "8",
    "--config-overrides", "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
]  # fmt: skip

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--no-python", "--nproc-per-node", "2"]
SRUN = ["srun", "--ntasks", "2"]

CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def values(events, kind, name):
    return [event[name] for event in events if event["event"] == kind]


class Program:
    """Runs the program in a folder."""

    def __init__(self, path, work):
        self.path, self.work, self.one = path, work, None

    def command(self, launcher, output, *flags):
        return [*launcher, str(self.path), *FLAGS, "--output-dir", output, *flags]

    def events(self, *arguments):
        command = self.command(*arguments)
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.work)
        check(done.returncode == 0, f"{command[0]} failed:\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def compare(self, launcher, name):
        """Compares two processes of a launcher with one process."""
        epochs = ["--num-train-epochs", "2"]
        if self.one is None:
            self.one = self.events([], "one", "--gradient-accumulation-steps", "2", *epochs)
        two, one = self.events(launcher, name, *epochs), self.one
        for kind, of in [("step", "loss"), ("evaluated", "eval_loss")]:
            ours, theirs = values(two, kind, of), values(one, kind, of)
            check(theirs and len(ours) == len(theirs), f"{of}: {ours} and {theirs}")
            apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
            check(apart < 1e-5, f"{of}: {ours} and {theirs}")
        for of in ["eval_accuracy", "eval_f1"]:
            check(values(two, "evaluated", of) == values(one, "evaluated", of), of)
        ok(f"two processes of {name} train as one process with the same global batch")
        settings = {setting["name"]: setting for setting in two[0]["settings"]}
        check(settings["world_size"]["value"] == "2", settings["world_size"])
        check(settings["world_size"]["why"] == name, settings["world_size"])
        ranks = [event for event in two if event["event"] == "ranks"][-1]["ranks"]
        check([rank["rank"] for rank in ranks] == [0, 1], ranks)
        ok(f"{name}: rank 0 alone prints, and has measures of both")

    def cancel(self):
        """Cancels a job of SLURM, which has to end with a checkpoint and the model."""
        command = self.command(SRUN, "cancelled", "--num-train-epochs", "20000")
        job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work)
        journal = self.work / "cancelled" / "events.jsonl"
        wait_for(lambda: journal.exists() and b'"step":3' in journal.read_bytes(), "a third step")
        subprocess.run(["scancel", "--user", "root"], check=True)
        _, errors = job.communicate(timeout=60)
        errors = errors.decode("utf-8", "replace")
        check(job.returncode == 143, f"a cancelled job ended with {job.returncode}: {errors}")
        wait_for((self.work / "cancelled" / "model.safetensors").exists, f"a model: {errors}")
        step = json.loads((self.work / "cancelled" / "trainer_state.json").read_text())["global_step"]
        check((self.work / "cancelled" / f"checkpoint-{step}").is_dir(), f"no checkpoint-{step}")
        ok("srun: a cancelled job ends with a checkpoint and the model")


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.1)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def slurm():
    """SLURM on this machine; None, or why it cannot be started."""
    needed = ["munged", "slurmctld", "slurmd", "srun", "scancel", "sinfo"]
    missing = [name for name in needed if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        yield f"{', '.join(missing)} missing" if missing else "that needs root"
        return
    daemons = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        for name in ["state", "spool"]:
            (folder / name).mkdir()
        config = folder / "slurm.conf"
        host = socket.gethostname().split(".")[0]
        ports = {"controller": free_port(), "daemon": free_port()}
        config.write_text(CONFIG.format(host=host, folder=folder, **ports))
        os.environ["SLURM_CONF"] = str(config)

        def start(*command):
            log = (folder / f"{command[0]}.log").open("wb")
            daemons.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))

        files = [f"--{name}={folder}/munge.{name.removesuffix('-file')}"
                 for name in ["key-file", "pid-file", "log-file", "seed-file", "socket"]]  # fmt: skip
        try:
            start("munged", "--foreground", "--force", *files)
            wait_for((folder / "munge.socket").exists, "munged")
            start("slurmctld", "-D", "-f", str(config))
            start("slurmd", "-D", "-f", str(config), "-N", host)

            def is_idle():
                state = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True)
                return state.stdout.strip() == b"idle"

            wait_for(is_idle, "an idle node")
            problem = None
        except Exception as error:
            logs = [log.read_text(errors="replace")[-500:] for log in folder.glob("*.log")]
            problem = f"{error}\n" + "\n".join(logs)
        try:
            yield problem
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
                daemon.wait()


def run():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    program, work = arguments.program.resolve(), arguments.work
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    program = Program(program, work)
    program.compare(TORCHRUN, "torchrun")
    with slurm() as problem:
        if problem:
            print(f"srun was not checked: SLURM cannot be started here: {problem}")
        else:
            program.compare(SRUN, "srun")
            program.cancel()


if __name__ == "__main__":
    main(run)
