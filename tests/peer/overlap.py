"""Measures how much of the exchange of gradients is hidden behind the backward pass, with two ranks on this
machine that are connected over its loopback, or through a proxy that lets only so many bytes pass.

    python tests/peer/overlap.py PROGRAM [--rate MB/s ...] [--threads N] [--steps N] [--small] [FLAG ...]

Each rank computes with one thread unless told otherwise. Of a run, the last measures of rank 0 count: the mean
of several steps. The flags are those of `nsmc-tui train`.
"""

import argparse
import json
import os
import socket
import subprocess
import tempfile
import threading
import time

MODEL = "hidden_size=512,intermediate_size=2048,num_hidden_layers=8,num_attention_heads=8"
SMALL_MODEL = "hidden_size=256,intermediate_size=1024,num_hidden_layers=4,num_attention_heads=4"
FLAGS = [
    "train", "--json", "--max-train-samples", "1024", "--max-eval-samples", "8",
    "--per-device-train-batch-size", "32", "--eval-strategy", "no", "--save-strategy", "no",
]  # fmt: skip


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


def pass_on(source, target, rate):
    """Passes bytes on, at most `rate` of them a second."""
    due = time.monotonic()
    try:
        while data := source.recv(1 << 16):
            due = max(due, time.monotonic() - 0.01) + len(data) / rate
            target.sendall(data)
            time.sleep(max(0.0, due - time.monotonic()))
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def proxy(listener, port, rate):
    """Connects what connects here with a port of this machine."""
    outer, _ = listener.accept()
    while True:
        try:
            inner = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            time.sleep(0.02)
    for ends in ((outer, inner), (inner, outer)):
        threading.Thread(target=pass_on, args=(*ends, rate), daemon=True).start()


def run(program, flags, threads, rate):
    """The measures of rank 0."""
    port = free_port()
    ports = [port, port]
    if rate:
        listener = socket.create_server(("127.0.0.1", 0))
        ports[1] = listener.getsockname()[1]
        threading.Thread(target=proxy, args=(listener, port, rate), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        ranks = []
        for rank in range(2):
            env = os.environ | {
                "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ports[rank]),
                "NSMC_TUI_MODEL_NAME_OR_PATH": "random",
            }  # fmt: skip
            out = subprocess.PIPE if rank == 0 else subprocess.DEVNULL
            arguments = [program, *FLAGS, "--threads", str(threads), *flags]
            ranks.append(subprocess.Popen(arguments, env=env, cwd=folder, stdout=out, text=True))
        output, _ = ranks[0].communicate()
        if ranks[0].returncode or ranks[1].wait():
            raise SystemExit(output)
    events = [json.loads(line) for line in output.splitlines()]
    return [event for event in events if event["event"] == "ranks"][-1]["ranks"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--rate", type=float, nargs="*", default=[125.0], help="MB/s of the proxy")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--small", action="store_true", help="4 layers of 256 instead of 8 of 512")
    options, flags = parser.parse_known_args()
    flags += ["--max-steps", str(options.steps)]
    flags += ["--config-overrides", SMALL_MODEL if options.small else MODEL]
    program = os.path.abspath(options.program)
    for rate in [None, *options.rate]:
        measured = run(program, flags, options.threads, rate and rate * 1e6)
        computed, exchange, waited = (measured[key] for key in ("computed", "exchange", "waited"))
        print(
            f"{f'{rate:.0f} MB/s' if rate else 'loopback'}: computed {computed * 1e3:.0f} ms, "
            f"exchange {exchange * 1e3:.0f} ms, waited {waited * 1e3:.0f} ms, "
            f"hidden {1 - waited / exchange:.0%}",
            flush=True,
        )


main()
