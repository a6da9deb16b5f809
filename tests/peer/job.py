"""Runs the tutorial's whole training with the program and with transformers' Trainer in turns, and
compares their times: 2,000 + 2,000 samples of NSMC, 10 epochs of batches of 32, an evaluation after
each epoch, a checkpoint and a log entry every 50 steps, TensorBoard's files; on the CPU, with the
program's small Korean BERT with random weights. Usage:

    python tests/peer/job.py target/release/nsmc-tui WORKDIR

Needs the packages of requirements.txt. WORKDIR is a folder for the runs' output, which is
overwritten. The runs of a round:

  ours             the program's defaults: `nsmc-tui train --json`, samples grouped by length
  trainer-fixed    the Trainer as in the tutorial: in random order, each sample padded to the
                   longest of its split
  trainer-grouped  the Trainer with samples grouped by length, padded to the longest of their batch
  ours-fixed       the program with trainer-fixed's padding and order; only on request

The Trainer has the settings printed by `nsmc-tui train --print-config`, and the same samples and
tokens, which is checked; its random weights are other ones.

Measured is, of the program, the time of the whole process, with unpacking and tokenizing the
samples; of Python, creating the model and the Trainer, `train()` with its evaluations and
checkpoints, and saving the model, without the start of Python, its imports, and reading and
tokenizing the samples. A ratio is the Trainer's time divided by ours: above 1 the program is
faster.
"""

import argparse
import json
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

from common import (
    HERE,
    REPOSITORY,
    Failed,
    at_least,
    check,
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
    show_table,
    spread,
)

OURS = ["ours", "ours-fixed"]
RUNS = ["ours", "trainer-fixed", "trainer-grouped", "ours-fixed"]
# The settings of `--print-config` that differ between the runs of a round.
NOT_COMMON = ["train_sampling_strategy", "pad_to_max_length", "output_dir"]
# The samples whose tokens are compared.
SHOWN = 100


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Ours:
    """Runs of the program."""

    def __init__(self, args: argparse.Namespace, program: Path) -> None:
        self.program = program
        self.threads = args.threads
        self.options: list[object] = []
        given = {
            "--model-name-or-path": args.model or "random",
            "--num-train-epochs": args.epochs,
            "--max-steps": args.max_steps,
            "--max-train-samples": args.train_samples,
            "--max-eval-samples": args.eval_samples,
            "--seed": args.seed,
        }
        for name, value in given.items():
            if value is not None:
                self.options += [name, value]

    def settings(self) -> dict[str, Any]:
        """The effective settings of a run, with the Trainer's names."""
        text = output_of([self.program, "train", *self.options, "--print-config"])
        return tomllib.loads(text)

    def run(self, name: str, folder: Path) -> dict[str, Any]:
        log = folder / "events.jsonl"
        command = [self.program, "train", "--json", *self.options, "--output-dir", folder / "out"]
        if name == "ours-fixed":
            command += ["--pad-to-max-length", "--train-sampling-strategy", "random"]
        process = measured(name, command, log, self.threads)
        events: dict[str, list[dict[str, Any]]] = {}
        for line in log.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            events.setdefault(event["event"], []).append(event)
        for kind in ["started", "evaluated", "finished"]:
            check(kind in events, f"{name}: {log} has no event `{kind}`")
        last, finished = events["evaluated"][-1], events["finished"][-1]
        return {
            "seconds": process.seconds,
            "seconds_of": {"training alone": finished["metrics"]["train_runtime"]},
            "steps": finished["global_step"],
            "evaluations": len(events["evaluated"]),
            "checkpoints": len(events.get("checkpoint", [])),
            "train_loss": finished["training_loss"],
            "accuracy": last["eval_accuracy"],
            "f1": last["eval_f1"],
            "parameters": events["started"][-1]["parameters"],
            "peak_memory_bytes": process.peak_memory_bytes,
        }

    def sample_ids(self, settings: dict[str, Any]) -> dict[str, list[str]]:
        """The ids of the samples of training and evaluation."""
        command: list[object] = [self.program, "data", "--json", "--ids"]
        command += ["--max-train-samples", settings["max_train_samples"]]
        command += ["--max-eval-samples", settings["max_eval_samples"]]
        data = json.loads(output_of(command))
        return {"train": data["train"]["ids"], "test": data["eval"]["ids"]}

    def tokens(self, texts: list[str], model: Path | None, longest: int) -> list[list[int]]:
        """The token ids of each text, truncated as in training: `[SEP]` stays the last."""
        command: list[object] = [self.program, "tokenize", "--json"]
        command += ["--model-name-or-path", model or "random"]
        lines = output_of([*command, "--", *texts]).splitlines()
        found = [json.loads(line)["ids"] for line in lines]
        return [ids if len(ids) <= longest else ids[: longest - 1] + ids[-1:] for ids in found]


class Theirs:
    """Runs of the Trainer."""

    def __init__(self, settings: dict[str, Any], model: Path, threads: int) -> None:
        self.settings = settings
        self.model = model
        self.threads = threads

    def run(self, name: str, folder: Path) -> dict[str, Any]:
        result = folder / "result.json"
        task = {
            "settings": self.settings,
            "model": str(self.model),
            "threads": self.threads,
            "padding": name.removeprefix("trainer-"),
            "output_dir": str(folder / "out"),
            "result": str(result),
            "show": SHOWN,
        }
        command = [sys.executable, HERE / "job_worker.py", json.dumps(task)]
        process = measured(name, command, folder / "log", self.threads)
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found | {"peak_memory_bytes": process.peak_memory_bytes}


def same_work(
    ours: Ours, settings: dict[str, Any], theirs: dict[str, Any], model: Path | None
) -> None:
    """Checks that a run of the Trainer had our samples and tokens."""
    for split, ids in ours.sample_ids(settings).items():
        check(ids == theirs["ids"][split], f"the Trainer has other {split} samples")
    tokens = ours.tokens(theirs["shown_texts"], model, settings["max_seq_length"])
    check(tokens == theirs["shown_tokens"], "the Trainer has other tokens")


def arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("program", type=Path, help="the built nsmc-tui")
    options.add_argument("workdir", type=Path, help="where runs are written")
    options.add_argument("--rounds", type=at_least(1), default=3, help="[default: 3]")
    options.add_argument(
        "--runs",
        nargs="+",
        choices=RUNS,
        default=RUNS[:3],
        help="the runs of a round; ratios are to the first run of ours [default: the first three]",
    )
    options.add_argument("--epochs", type=float, help="[default: the program's 10]")
    options.add_argument("--max-steps", type=at_least(1), help="stop after this many steps")
    options.add_argument("--train-samples", type=at_least(1), help="[default: 2000]")
    options.add_argument("--eval-samples", type=at_least(1), help="[default: 2000]")
    options.add_argument("--seed", type=at_least(0), help="[default: the program's 42]")
    options.add_argument(
        "--model",
        type=Path,
        help="a folder with config.json and tokenizer.json, and model.safetensors to start from "
        "weights [default: the program's small model, which Python reads from assets/random]",
    )
    options.add_argument(
        "--threads",
        type=at_least(1),
        default=processors(),
        help="threads of each side [default: the processors this process may use]",
    )
    options.add_argument("--json", action="store_true", help="print one JSON object")
    args = options.parse_args()
    args.runs = [name for name in RUNS if name in args.runs]
    if args.runs[0] not in OURS and args.runs[-1] not in OURS:
        options.error("--runs needs ours or ours-fixed")
    return args


def show(result: dict[str, Any], baseline: str) -> None:
    """Prints the result as tables."""
    show_facts("computer and versions", result["machine"])
    print(f"model: {result['model']}\n")
    show_facts("settings of all runs", result["settings"])
    rounds = [
        {baseline: one[baseline]["seconds"]}
        | {name: run["seconds"] for name, run in one.items()}
        for one in result["rounds"]
    ]
    print("seconds of the whole training, and the ratio to ours (above 1: ours is faster)\n")
    show_rounds(rounds, "s")
    rows = [
        ["run", "round", "steps", "evaluations", "checkpoints", "loss", "accuracy", "F1", "memory"]
    ]
    for number, one in enumerate(result["rounds"], start=1):
        for name, of in one.items():
            counts = [str(of[key]) for key in ["steps", "evaluations", "checkpoints"]]
            metrics = [f"{of[key]:.4f}" for key in ["train_loss", "accuracy", "f1"]]
            rows.append([name, str(number), *counts, *metrics, mib(of["peak_memory_bytes"])])
    show_table(rows)
    print("seconds of the parts, in the last round")
    for name, of in result["rounds"][-1].items():
        parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in of["seconds_of"].items())
        print(f"  {name}: {parts}")


def run() -> None:
    args = arguments()
    program, workdir = program_file(args.program), args.workdir.resolve()
    if args.model is not None:
        args.model = args.model.resolve()
    model = args.model or REPOSITORY / "assets" / "random"
    check((model / "config.json").is_file(), f"{model}: no config.json in it")
    ours = Ours(args, program)
    settings = ours.settings()
    theirs = Theirs(settings, model, args.threads)
    facts = machine(args.threads) | {"nsmc-tui": output_of([program, "--version"]).strip()}
    baseline = next(name for name in args.runs if name in OURS)

    rounds: list[dict[str, dict[str, Any]]] = []
    compared = False
    for number in range(args.rounds):
        took: dict[str, dict[str, Any]] = {}
        for name in args.runs if number % 2 == 0 else reversed(args.runs):
            folder = fresh(workdir / name)
            took[name] = (ours if name in OURS else theirs).run(name, folder)
            note(f"round {number + 1} of {args.rounds}: {name} {took[name]['seconds']:.2f} s")
            if name not in OURS:
                if not compared:
                    same_work(ours, settings, took[name], args.model)
                    compared = True
                facts |= took[name].pop("versions")
                for large in ["ids", "shown_texts", "shown_tokens"]:
                    del took[name][large]
        for name, of in took.items():
            mine = took[baseline]
            for what in ["parameters", "steps"]:
                if of[what] != mine[what]:
                    raise Failed(f"{name} had {of[what]} {what}, {baseline} {mine[what]}")
            for what in ["evaluations", "checkpoints"]:
                if of[what] != mine[what]:
                    note(f"DIFFERENT: {name} had {of[what]} {what}, {baseline} {mine[what]}")
        rounds.append({name: took[name] for name in args.runs})
    result = {
        "machine": facts,
        "model": "the small model" if args.model is None else str(args.model),
        "settings": {name: value for name, value in settings.items() if name not in NOT_COMMON},
        "rounds": rounds,
        "ratios": {
            name: spread([one[name]["seconds"] / one[baseline]["seconds"] for one in rounds])
            for name in args.runs
            if name != baseline
        },
    }
    if args.json:
        show_json(result)
    else:
        show(result, baseline)


if __name__ == "__main__":
    main(run)
