"""What `step.py` and `job.py` share: processes, facts about the machine, medians and ratios.

Not a script of its own. It needs Python's standard library alone, and must not import more: Linux
counts what the parent occupies when it starts a process towards that process's peak memory.
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
    """What went wrong, in words for the person who runs the script."""


def main(run: Callable[[], None]) -> None:
    """Runs a script's `run()`; a failure ends it with one line and exit status 1."""
    try:
        run()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")


def check(holds: object, message: str) -> None:
    if not holds:
        raise Failed(message)


def note(message: str) -> None:
    """Says how far things are; on standard error, as standard output is for the result."""
    print(message, file=sys.stderr, flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def at_least(least: int) -> Callable[[str], int]:
    """A type of argument: whole numbers from `least` on."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


# --- processes -----------------------------------------------------------------------------------


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """The environment of both sides: so many threads, no network, no settings of the program."""
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
    """What a short command prints; it must end well."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, encoding="utf-8", env=environment(1)
    )
    reason = done.stderr.strip()[-2000:]
    check(done.returncode == 0, f"`{' '.join(words[:4])} …` ended with {done.returncode}: {reason}")
    return done.stdout


@dataclass
class Measured:
    """A process that has ended well."""

    seconds: float
    """From its start to its end, by the clock."""
    peak_memory_bytes: int
    """The most memory that it occupied at once."""


def measured(what: str, command: Sequence[object], log: Path, threads: int) -> Measured:
    """Runs a command with its output in `log` and what it says on standard error beside it."""
    words = [str(word) for word in command]
    errors = log.with_name(f"{log.name}.stderr")
    with log.open("wb") as out, errors.open("wb") as err:
        start = time.perf_counter()
        child = subprocess.Popen(words, stdout=out, stderr=err, env=environment(threads))
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        seconds = time.perf_counter() - start
    # Told to subprocess, which would otherwise look for the process again.
    child.returncode = os.waitstatus_to_exitcode(status)
    said = errors.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
    check(child.returncode == 0, f"{what} ended with {child.returncode}:\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, usage.ru_maxrss * unit)


# --- the machine ---------------------------------------------------------------------------------


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
    """Name, driver and memory of each NVIDIA GPU, as its own tool tells them."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True)
    return [line.strip() for line in done.stdout.splitlines() if done.returncode == 0]


def machine(threads: int, device: str = "cpu") -> dict[str, Any]:
    """What has to stand beside any figure."""
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
        facts["gpu (name, driver, memory)"] = "; ".join(gpus()) or "nvidia-smi tells nothing"
    return facts


# --- figures -------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"


def show_facts(title: str, facts: dict[str, Any]) -> None:
    print(title)
    for name, value in facts.items():
        print(f"  {name}: {value}")
    print()


def show_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need be; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
    print()


def show_rounds(rounds: Sequence[dict[str, float]], unit: str) -> dict[str, dict[str, float]]:
    """Prints a line for each round, what each took and how many times ours that is, then the
    median, the least and the most. The first name of a round is ours. Returns the spread of each
    peer's ratio."""
    ours, *peers = rounds[0]
    ratios = {peer: spread([figures[peer] / figures[ours] for figures in rounds]) for peer in peers}
    head = ["round", f"{ours} {unit}"]
    for peer in peers:
        head += [f"{peer} {unit}", f"{peer} / {ours}"]
    rows = [head]
    for number, figures in enumerate(rounds, start=1):
        row = [str(number), f"{figures[ours]:.2f}"]
        for peer in peers:
            row += [f"{figures[peer]:.2f}", f"{figures[peer] / figures[ours]:.3f}"]
        rows.append(row)
    for which in ["median", "min", "max"]:
        row = [which, f"{spread([figures[ours] for figures in rounds])[which]:.2f}"]
        for peer in peers:
            row.append(f"{spread([figures[peer] for figures in rounds])[which]:.2f}")
            row.append(f"{ratios[peer][which]:.3f}")
        rows.append(row)
    show_table(rows)
    return ratios


def show_json(result: dict[str, Any]) -> None:
    print(json.dumps(result, ensure_ascii=False, indent=1))
