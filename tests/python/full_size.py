"""Checks the program with a model of multilingual BERT's size (178 million parameters, random
weights): its logits equal those of transformers, it trains three steps, and transformers loads the
result. Prints time and peak memory of each run of the program.

Needs the packages of requirements.txt, `zstd` to unpack the tokenizer, and about 6 GB of memory and
of disk; no network, no GPU, a few minutes. Usage:

    python tests/python/full_size.py PROGRAM WORKDIR [--tokenizer FOLDER] [--steps predict|all]

PROGRAM is the built `nsmc-tui`; WORKDIR is a folder for the models, which are overwritten.
"""

import argparse
import gc
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from support import REFERENCE, answers, check, compare, load, main, ok, predict_command

import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

TOLERANCE = 1e-4
# mBERT's shape, with larger random weights than usual, so that the logits of the sentences differ.
SIZE = {
    "vocab_size": 119_547,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "initializer_range": 0.05,
    "id2label": {0: "negative", 1: "positive"},
    "label2id": {"negative": 0, "positive": 1},
}
SENTENCES = [
    "정말 재미있는 영화였어요",
    "시간이 아까운 최악의 영화... 다시는 안 본다",
    "그냥 그래요",
    "OST가 좋고 배우들의 연기가 훌륭했다!!",
    "볼 사람은 보고 말 사람은 말고 " * 20,
]

# Runs a command and prints its time and peak memory. It runs in a separate process because Linux
# includes the memory of the parent at the fork in the child's peak.
MEASURE = """
import os, resource, subprocess, sys, time
start = time.monotonic()
child = subprocess.Popen(sys.argv[2:], stdout=open(sys.argv[1], "wb"))
_, status, usage = os.wait4(child.pid, 0)
unit = 1 if sys.platform == "darwin" else 1024
print(os.waitstatus_to_exitcode(status), time.monotonic() - start, usage.ru_maxrss * unit)
"""


def measured(what, command, output):
    """Runs the program with its output in a file, and prints its time and peak memory."""
    command = [sys.executable, "-c", MEASURE, output, *command]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    check(done.returncode == 0, f"{what} could not be started:\n{done.stderr[-2000:]}")
    status, seconds, peak = done.stdout.split()
    check(status == "0", f"{what} ended with {status}:\n{done.stderr.strip()[-2000:]}")
    print(f"{what}: {float(seconds):.1f} s, peak {float(peak) / 2**30:.2f} GiB", flush=True)


def unpacked(folder, name):
    """The bytes of a file in the folder, which may be compressed with zstd."""
    if (folder / name).is_file():
        return (folder / name).read_bytes()
    packed = folder / f"{name}.zst"
    check(packed.is_file(), f"{folder}: contains neither {name} nor {packed.name}")
    for package in ["compression.zstd", "zstandard", "zstd"]:
        try:
            module = importlib.import_module(package)
        except ImportError:
            continue
        if package == "zstandard":
            return module.ZstdDecompressor().decompressobj().decompress(packed.read_bytes())
        return module.decompress(packed.read_bytes())
    command = shutil.which("zstd")
    check(
        command is not None,
        f"{packed} is compressed: install the Python package zstandard or the command zstd, "
        f"or give a folder with {name} as --tokenizer",
    )
    return subprocess.run([command, "-dc", packed], capture_output=True, check=True).stdout


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def make(folder, tokenizer_folder):
    """Writes the model and its tokenizer."""
    fresh(folder)
    tokens = unpacked(tokenizer_folder, "vocab.txt").decode("utf-8").splitlines()
    check(
        len(tokens) == SIZE["vocab_size"],
        f"{tokenizer_folder}: {len(tokens):,} tokens instead of mBERT's {SIZE['vocab_size']:,}",
    )
    vocabulary = {token: i for i, token in enumerate(tokens)}
    BertTokenizer(vocabulary, do_lower_case=False).save_pretrained(folder)
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig(**SIZE)).save_pretrained(folder)


def transformers_answers(folder):
    """The predictions of transformers. The model is freed before the program runs."""
    model, tokenizer = load(folder)
    found = answers(model, tokenizer, SENTENCES)
    del model
    gc.collect()
    return found


def same_answers(program, folder, what):
    theirs = transformers_answers(folder)
    output = folder.parent / "predicted.jsonl"
    measured(f"predict, {what}", predict_command(program, folder, SENTENCES), output)
    ours = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    most = compare(folder, ours, theirs, TOLERANCE)
    ok(f"{what}: the program's logits are within {most:.1e} of transformers'")
    return theirs


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=Path, help="the built nsmc-tui")
    parser.add_argument("workdir", type=Path, help="where the models are written")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        default=REFERENCE / "mbert",
        help="a folder with mBERT's vocab.txt, or vocab.txt.zst [default: tests/reference/mbert]",
    )
    parser.add_argument(
        "--steps", choices=["predict", "all"], default="all", help="predict: do not train"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    program = args.program.resolve()
    check(program.is_file(), f"{program}: no such program")
    folder = args.workdir.resolve() / "full_size"
    make(folder, args.tokenizer)
    before = same_answers(program, folder, "as saved by Python")
    if args.steps == "predict":
        return

    out = fresh(args.workdir.resolve() / "full_size_trained")
    flags = {
        "--max-steps": 3,
        "--save-steps": 3,
        "--max-train-samples": 24,
        "--max-eval-samples": 8,
        "--per-device-train-batch-size": 8,
        "--output-dir": out,
        "--model-name-or-path": folder,
    }
    command = [program, "train", "--plain", *(part for flag in flags.items() for part in flag)]
    measured("train, 3 steps", command, args.workdir.resolve() / "train.log")
    checkpoint = out / "checkpoint-3"
    check(checkpoint.is_dir(), f"{checkpoint} was not written")
    after = same_answers(program, checkpoint, "after three steps of the program")
    changed = any(a["logits"] != b["logits"] for a, b in zip(before, after))
    check(changed, f"{checkpoint}: training changed nothing")


if __name__ == "__main__":
    main(run)
