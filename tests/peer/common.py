"""Shared by `step.py` and `job.py`: processes, facts about the computer, medians and ratios.

It imports only the standard library: Linux includes the memory of the parent at the start of a
process in that process's peak.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


class Failed(Exception):
    """An error; the message is for the user of the script."""


def main(run: Callable[[], None]) -> None:
    """Runs a script's `run()`; a failure ends it with one line and exit status 1."""
    try:
        run()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")


def check(condition: object, message: str) -> None:
    if not condition:
        raise Failed(message)


def note(message: str) -> None:
    """Prints progress on standard error; standard output is for the result."""
    print(message, file=sys.stderr, flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def at_least(minimum: int) -> Callable[[str], int]:
    """An argument type: integers from `minimum` on."""

    def number(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is less than {minimum}")
        return value

    return number


# --- processes -----------------------------------------------------------------------------------


def processors() -> int:
    """The number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """The environment of both sides: this number of threads, no network, no NSMC_TUI_ variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NSMC_TUI_")}
    count = str(threads)
    return kept | {
        "RAYON_NUM_THREADS": count,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
    }


def program_file(path: Path) -> Path:
    path = path.resolve()
    check(path.is_file(), f"{path}: no such program")
    return path


def output_of(command: Sequence[object]) -> str:
    """The output of a short command, whose exit status must be zero."""
    arguments = [str(argument) for argument in command]
    done = subprocess.run(
        arguments, capture_output=True, text=True, encoding="utf-8", env=environment(1)
    )
    shown, reason = " ".join(arguments[:4]), done.stderr.strip()[-2000:]
    check(done.returncode == 0, f"`{shown} …` ended with {done.returncode}: {reason}")
    return done.stdout


@dataclass
class Measured:
    """Time and memory of a process that has exited with status zero."""

    seconds: float
    """Wall-clock time from its start to its end."""
    peak_memory_bytes: int
    """Its peak resident memory."""


def measured(what: str, command: Sequence[object], log: Path, threads: int) -> Measured:
    """Runs a command with its output in `log` and its standard error in a file beside it."""
    arguments = [str(argument) for argument in command]
    errors = log.with_name(f"{log.name}.stderr")
    with log.open("wb") as out, errors.open("wb") as err:
        start = time.perf_counter()
        child = subprocess.Popen(arguments, stdout=out, stderr=err, env=environment(threads))
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        seconds = time.perf_counter() - start
    # Otherwise subprocess would wait for the process again.
    child.returncode = os.waitstatus_to_exitcode(status)
    message = errors.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
    check(child.returncode == 0, f"{what} ended with {child.returncode}:\n{message}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, usage.ru_maxrss * unit)


# --- the computer --------------------------------------------------------------------------------


def processor_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    if names:
        return names[0]
    if sys.platform == "darwin":
        return output_of(["sysctl", "-n", "machdep.cpu.brand_string"]).strip()
    return platform.processor() or platform.machine()


def gpus() -> list[str]:
    """Name, driver and memory of each NVIDIA GPU, from nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True)
    return [line.strip() for line in done.stdout.splitlines() if done.returncode == 0]


def machine(threads: int, device: str = "cpu") -> dict[str, Any]:
    """The facts that are printed with every measurement."""
    facts: dict[str, Any] = {
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
        "system": platform.platform(),
        "processor": processor_model(),
        "processors_usable": processors(),
        "threads_each": threads,
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }
    if device == "cuda":
        facts["gpu (name, driver, memory)"] = "; ".join(gpus()) or "unknown (nvidia-smi failed)"
    return facts


# --- results -------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"


def show_facts(title: str, facts: dict[str, Any]) -> None:
    print(title)
    for name, value in facts.items():
        print(f"  {name}: {value}")
    print()


def show_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints columns as wide as their widest cell, the first aligned left, the others right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
    print()


def show_rounds(rounds: Sequence[dict[str, float]], unit: str) -> dict[str, dict[str, float]]:
    """Prints the times of each round and their ratios to ours, then the median, the minimum and the
    maximum. The first name of a round is ours. Returns the spread of each peer's ratio."""
    ours, *peers = rounds[0]
    ratios = {peer: spread([times[peer] / times[ours] for times in rounds]) for peer in peers}
    head = ["round", f"{ours} {unit}"]
    for peer in peers:
        head += [f"{peer} {unit}", f"{peer} / {ours}"]
    rows = [head]
    for number, times in enumerate(rounds, start=1):
        row = [str(number), f"{times[ours]:.2f}"]
        for peer in peers:
            row += [f"{times[peer]:.2f}", f"{times[peer] / times[ours]:.3f}"]
        rows.append(row)
    for which in ["median", "min", "max"]:
        row = [which, f"{spread([times[ours] for times in rounds])[which]:.2f}"]
        for peer in peers:
            row.append(f"{spread([times[peer] for times in rounds])[which]:.2f}")
            row.append(f"{ratios[peer][which]:.3f}")
        rows.append(row)
    show_table(rows)
    return ratios


def show_json(result: dict[str, Any]) -> None:
    print(json.dumps(result, ensure_ascii=False, indent=1))
