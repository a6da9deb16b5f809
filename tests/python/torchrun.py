"""Checks that PyTorch's `torchrun` starts the processes of a run: two of them train as one process that
accumulates two batches.

Needs the packages of requirements.txt; no network, no GPU, a minute. Usage:

    python tests/python/torchrun.py PROGRAM WORKDIR
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from support import check, main, ok

FLAGS = [
    "train", "--json", "--model-name-or-path", "random", "--threads", "1", "--bf16", "false",
    "--max-train-samples", "100", "--max-eval-samples", "45", "--num-train-epochs", "2",
    "--per-device-train-batch-size", "8",
    "--config-overrides", "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
]  # fmt: skip


def run():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    program, work = arguments.program.resolve(), arguments.work
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    def events(*command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=work)
        check(done.returncode == 0, f"{command[0]} failed:\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def values(of, kind, name):
        return [event[name] for event in of if event["event"] == kind]

    torchrun = [sys.executable, "-m", "torch.distributed.run", "--no-python", "--nproc-per-node", "2"]
    two = events(*torchrun, program, *FLAGS, "--output-dir", "two")
    one = events(program, *FLAGS, "--output-dir", "one", "--gradient-accumulation-steps", "2")
    for kind, name in [("step", "loss"), ("evaluated", "eval_loss")]:
        ours, theirs = values(two, kind, name), values(one, kind, name)
        check(theirs and len(ours) == len(theirs), f"{name}: {ours} and {theirs}")
        apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        check(apart < 1e-5, f"{name}: {ours} and {theirs}")
    for name in ["eval_accuracy", "eval_f1"]:
        check(values(two, "evaluated", name) == values(one, "evaluated", name), name)
    ok("two processes of torchrun train as one process with the same global batch")
    settings = {setting["name"]: setting for setting in two[0]["settings"]}
    check(settings["world_size"]["value"] == "2", settings["world_size"])
    check(settings["world_size"]["why"] == "torchrun", settings["world_size"])
    ranks = [event for event in two if event["event"] == "ranks"][-1]["ranks"]
    check([rank["rank"] for rank in ranks] == [0, 1], ranks)
    ok("rank 0 alone prints, and has measures of both")


if __name__ == "__main__":
    main(run)
