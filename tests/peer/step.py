"""Runs training steps of the program and of PyTorch in turns, and compares their times.

A step is the copy of a batch to the device, forward with dropout 0.1, backward, clipping of the
gradients to norm 1, and AdamW, from random weights and on random tokens. PyTorch runs a plain loop
over transformers' BertForSequenceClassification (attention "sdpa", `AdamW(fused=True)`), with
`--compile` a second time with torch.compile. In each round the program and each peer run the same
number of steps, one after the other, on the same number of threads; their order alternates. A peer
is one process for all rounds, which waits while others run; the program is started for each turn.
Warm-up steps at the start of each turn, and everything before them, do not count.

Needs the packages of requirements.txt. Usage:

    python tests/peer/step.py target/release/nsmc-tui
    python tests/peer/step.py target/release/nsmc-tui --preset h200-grouped --device cuda --bf16

A ratio is the peer's time divided by ours: above 1 the program is faster.
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import (
    HERE,
    Failed,
    at_least,
    check,
    environment,
    machine,
    main,
    measured,
    mib,
    note,
    output_of,
    parser,
    processors,
    program_file,
    show_facts,
    show_json,
    show_rounds,
    spread,
)

OURS = "nsmc-tui"
PARTS = ["data", "forward", "backward", "optimizer", "other"]
# What a peer reports about itself that is printed with the facts.
VERSIONS = ["torch", "transformers", "cuda", "device", "processor_instructions"]
# The batches that represent an epoch grouped by length.
STRATA = 6


@dataclass
class Model:
    layers: int
    hidden_size: int
    heads: int
    intermediate_size: int
    vocab_size: int


@dataclass
class Preset:
    model: Model
    batch_size: int
    length: int | None
    """Tokens of each sample; `None` for the lengths of NSMC, grouped."""
    steps: int
    warmup: int


BASE = Model(12, 768, 12, 3072, 119_547)
PRESETS = {
    "tiny": Preset(Model(2, 32, 2, 64, 100), 4, 8, steps=3, warmup=1),
    "small": Preset(Model(4, 256, 4, 1024, 8000), 32, 24, steps=20, warmup=3),
    "base": Preset(BASE, 8, 32, steps=6, warmup=2),
    "h200": Preset(BASE, 32, 119, steps=50, warmup=10),
    "h200-grouped": Preset(BASE, 32, None, steps=50, warmup=10),
}


def grouped(batch_size: int) -> list[list[int]]:
    """The lengths of a few batches that represent an epoch of NSMC's sample grouped by length.

    The epoch is composed as in transformers: shuffled, divided into groups of batches, sorted
    within a group. Its full batches, sorted by their longest sample, are divided into `STRATA`
    equal parts, and the middle one of each part is used. All have the same weight, so that the
    mean over them is about the mean over the epoch."""
    lengths: list[int] = json.loads((HERE / "nsmc_lengths.json").read_text(encoding="utf-8"))
    random.Random(42).shuffle(lengths)
    batches_a_group = max(1, min(len(lengths) // (batch_size * 4), 50))
    group = batches_a_group * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(lengths), group):
        rows = sorted(lengths[start : start + group], reverse=True)
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    full = sorted((batch for batch in batches if len(batch) == batch_size), key=max)
    check(len(full) >= STRATA, f"batches of {batch_size} are too large for {len(lengths)} samples")
    part = len(full) / STRATA
    return [full[int(part * (i + 0.5))] for i in range(STRATA)]


class Peer:
    """The PyTorch process, which reads tasks from its standard input."""

    def __init__(self, name: str, settings: dict[str, Any], errors: Path) -> None:
        self.name = name
        self.errors = errors
        command = [sys.executable, str(HERE / "step_worker.py"), json.dumps(settings)]
        with errors.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                encoding="utf-8",
                env=environment(settings["threads"]),
            )
        try:
            self.about = self.answer()
        except BaseException:
            self.close()
            raise

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            message = self.errors.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise Failed(f"{self.name} ended with {self.process.wait()}:\n{message}")
        answer: dict[str, Any] = json.loads(line)
        check("error" not in answer, f"{self.name}: {answer.get('error')}")
        return answer

    def run(self, lengths: list[int], steps: int, warmup: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        task = {"lengths": lengths, "steps": steps, "warmup": warmup}
        # If the process has exited, `answer` raises its error.
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """Ends the process by closing its standard input."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Ours:
    """The program, which is started for each turn."""

    def __init__(self, program: Path, model: Model, settings: dict[str, Any], folder: Path) -> None:
        self.program = program
        self.settings = settings
        self.log = folder / "bench.json"
        self.options: list[object] = ["--layers", model.layers]
        self.options += ["--hidden-size", model.hidden_size, "--heads", model.heads]
        self.options += ["--intermediate-size", model.intermediate_size]
        self.options += ["--vocab-size", model.vocab_size, "--threads", settings["threads"]]
        self.options += ["--device", settings["device"]]
        self.options += ["--bf16"] if settings["bf16"] else []
        self.options += ["--tf32"] if settings["tf32"] else []

    def run(self, lengths: list[int], steps: int, warmup: int) -> dict[str, Any]:
        command: list[object] = [self.program, "bench", "--json", *self.options]
        command += ["--per-device-train-batch-size", len(lengths)]
        if min(lengths) == max(lengths):
            command += ["--length", lengths[0]]
        else:
            command += ["--lengths", ",".join(map(str, lengths))]
        command += ["--steps", steps, "--warmup", warmup]
        process = measured(f"{OURS} bench", command, self.log, self.settings["threads"])
        text = self.log.read_text(encoding="utf-8")
        try:
            answer: dict[str, Any] = json.loads(text)
            answer["step_ms"]["median"] + 0.0
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(f"{OURS} bench printed unexpected output: {text[:500]!r}") from error
        expected, used = self.settings["threads"], answer.get("threads")
        check(used in (None, expected), f"{OURS} bench ran on {used} threads, not on {expected}")
        answer["peak_memory_of_process_bytes"] = process.peak_memory_bytes
        return answer


def turn(side: Ours | Peer, batches: list[list[int]], steps: int, warmup: int) -> dict[str, Any]:
    """One side's steps of a round on each batch. The time is the mean over the batches of the
    median step, and so are its parts; the memory is the maximum."""
    answers = [side.run(batch, steps, warmup) for batch in batches]
    parts: dict[str, float] = {}
    for part in PARTS:
        found = [answer["parts_ms"][part] for answer in answers if part in answer["parts_ms"]]
        if found:
            parts[part] = statistics.mean(found)
    memory = {
        name: max(answer[name] for answer in answers)
        for name in answers[0]
        if "peak" in name and name.endswith("_bytes")
    }
    return {
        "step_ms": statistics.mean(answer["step_ms"]["median"] for answer in answers),
        "batches": answers,
        "parts_ms": parts,
        "memory": memory,
    }


@contextlib.contextmanager
def peers(
    args: argparse.Namespace, settings: dict[str, Any], batches: list[list[int]], folder: Path
) -> Iterator[dict[str, Peer]]:
    """The peers that work on this computer, after a first run of each batch."""
    started: dict[str, Peer] = {}
    try:
        for name in ["PyTorch"] + (["compiled"] if args.compile else []):
            note(f"{name}: starting")
            compiled = name == "compiled"
            peer_settings = settings | {"compile": compiled, "compile_mode": args.compile_mode}
            peer = Peer(name, peer_settings, folder / f"{name}.stderr")
            started[name] = peer
            try:
                for batch in batches:
                    peer.run(batch, steps=1, warmup=1)
            except Failed as failure:
                if not compiled:
                    raise
                reason = str(failure).partition("\n")[0]
                note(f"torch.compile does not work on this computer and is left out: {reason}")
                started.pop(name).close()
        yield started
    finally:
        for peer in started.values():
            peer.close()


def arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("program", type=Path, help="the built nsmc-tui")
    options.add_argument(
        "--preset",
        choices=PRESETS,
        default="small",
        help="small: 4 layers × 256, vocabulary 8,000, 32 samples of 24 tokens (default); base: "
        "multilingual BERT's 12 × 768, 119,547, 8 samples of 32; h200: the same model, 32 samples "
        "of 119; h200-grouped: the same, 32 samples with NSMC's lengths, grouped by length; tiny: "
        "to try the script",
    )
    options.add_argument("--rounds", type=at_least(1), default=5, help="[default: 5]")
    options.add_argument(
        "--steps", type=at_least(1), help="steps of a turn, for each batch [default: the preset's]"
    )
    options.add_argument(
        "--warmup", type=at_least(0), help="steps before those [default: the preset's]"
    )
    options.add_argument(
        "--threads",
        type=at_least(1),
        default=processors(),
        help="threads of each side [default: the processors this process may use]",
    )
    options.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="[default: cpu]")
    precision = options.add_mutually_exclusive_group()
    precision.add_argument(
        "--bf16",
        action="store_true",
        help="bfloat16 (PyTorch: autocast); on a GPU or a processor with AVX512-BF16",
    )
    precision.add_argument(
        "--tf32", action="store_true", help="matrix products in TF32; for --device cuda"
    )
    options.add_argument(
        "--compile", action="store_true", help="also run PyTorch with torch.compile"
    )
    options.add_argument(
        "--compile-mode",
        choices=["default", "reduce-overhead", "max-autotune"],
        default="default",
        help="torch.compile's mode [default: default]",
    )
    options.add_argument(
        "--lengths",
        help="tokens of each sample, such as 24,24,31, instead of the preset's batch",
    )
    options.add_argument("--json", action="store_true", help="print one JSON object")
    args = options.parse_args()
    if args.tf32 and args.device != "cuda":
        options.error("--tf32 is for --device cuda")
    return args


def batches_of(args: argparse.Namespace, preset: Preset) -> list[list[int]]:
    if args.lengths is not None:
        lengths = args.lengths.split(",")
        valid = all(text.strip().isdecimal() and 2 <= int(text) <= 512 for text in lengths)
        check(valid, f"--lengths {args.lengths}: expected numbers from 2 to 512")
        return [[int(text) for text in lengths]]
    if preset.length is None:
        return grouped(preset.batch_size)
    return [[preset.length] * preset.batch_size]


def show(result: dict[str, Any]) -> None:
    """Prints the result as tables."""
    show_facts("computer and versions", result["machine"])
    show_facts("workload", result["work"])
    rounds = [
        {name: side["step_ms"] for name, side in one.items()} for one in result["rounds"]
    ]
    print("milliseconds of a training step, and the ratio to ours (above 1: ours is faster)\n")
    show_rounds(rounds, "ms")
    print("parts of a step, median over the rounds, in milliseconds")
    for name in rounds[0]:
        parts = [one[name]["parts_ms"] for one in result["rounds"]]
        medians = {part: statistics.median(of[part] for of in parts) for part in parts[0]}
        print(f"  {name}: " + ", ".join(f"{part} {ms:.2f}" for part, ms in medians.items()))
    print("\npeak memory")
    for name in rounds[0]:
        memory = result["peak_memory"][name]
        shown = [
            f"{key.removesuffix('_bytes').removeprefix('peak_').replace('_', ' ')} {mib(size)}"
            for key, size in memory.items()
        ]
        print(f"  {name}: " + ", ".join(shown))


def run() -> None:
    args = arguments()
    program = program_file(args.program)
    preset = PRESETS[args.preset]
    steps = preset.steps if args.steps is None else args.steps
    warmup = preset.warmup if args.warmup is None else args.warmup
    batches = batches_of(args, preset)
    settings = {
        "model": asdict(preset.model),
        "threads": args.threads,
        "device": args.device,
        "bf16": args.bf16,
        "tf32": args.tf32,
    }
    facts = machine(args.threads, args.device)
    facts[OURS] = output_of([program, "--version"]).strip()
    rounds: list[dict[str, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as name, peers(args, settings, batches, Path(name)) as by:
        sides: dict[str, Ours | Peer] = {
            OURS: Ours(program, preset.model, settings, Path(name)),
            **by,
        }
        about = by["PyTorch"].about
        facts |= {key: value for key, value in about.items() if key in VERSIONS}
        for number in range(args.rounds):
            names = list(sides) if number % 2 == 0 else list(reversed(sides))
            took = {name: turn(sides[name], batches, steps, warmup) for name in names}
            rounds.append({name: took[name] for name in sides})
            shown = ", ".join(f"{name} {took[name]['step_ms']:.2f} ms" for name in sides)
            note(f"round {number + 1} of {args.rounds}: {shown}")
    memory: dict[str, dict[str, float]] = {}
    for name in sides:
        found = [one[name]["memory"] for one in rounds]
        memory[name] = {key: max(of[key] for of in found) for key in found[0]}
        if name in by:
            key = "peak_memory_after_imports_bytes"
            memory[name][key] = by[name].about[key]
    facts[f"{OURS}'s device"] = rounds[0][OURS]["batches"][0].get("device", args.device)
    precision = "bf16" if args.bf16 else "tf32" if args.tf32 else "float32"
    ours = [one[OURS]["step_ms"] for one in rounds]
    result: dict[str, Any] = {
        "machine": facts,
        "work": {
            "preset": args.preset,
            "model": settings["model"],
            "parameters": about["parameters"],
            "rows": len(batches[0]),
            "padded_lengths": [max(batch) for batch in batches],
            "tokens_a_batch": [sum(batch) for batch in batches],
            "device": args.device,
            "precision": precision,
            "steps_a_turn": steps,
            "warmup": warmup,
            "rounds": args.rounds,
        },
        "rounds": rounds,
        "peak_memory": memory,
        "ratios": {
            name: spread(
                [one[name]["step_ms"] / mine for one, mine in zip(rounds, ours, strict=True)]
            )
            for name in by
        },
    }
    if args.compile:
        result["work"]["torch.compile"] = (
            f"mode {args.compile_mode}" if "compiled" in by else "does not work on this computer"
        )
    if args.json:
        show_json(result)
    else:
        show(result)


if __name__ == "__main__":
    main(run)
