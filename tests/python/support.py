"""Shared by `fixtures.py`, `two_way.py`, `full_size.py` and `hub_cache.py`. Needs the packages of
requirements.txt; runs on the CPU.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

# Set before torch and transformers are imported: no GPU, no network, no progress bars.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

transformers.utils.logging.disable_progress_bar()

REFERENCE = Path(__file__).resolve().parent.parent / "reference"


class Failed(Exception):
    """A failed check; the message is for the user of the script."""


def main(run):
    """Runs a script's `run()`; a failure ends it with one line and exit status 1."""
    try:
        run()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")


def check(condition, message):
    if not condition:
        raise Failed(message)


def ok(message):
    print(f"ok: {message}", flush=True)


def widen(model, seed, spread=0.3):
    """Replaces every parameter, biases too, by random values far from zeros and ones."""
    draw = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = draw.normal(0.0, spread, tuple(parameter.shape))
            if name.endswith(("LayerNorm.weight", "layer_norm.weight")):
                values = 1.0 + values / 2
            parameter.copy_(torch.from_numpy(values))
    return model


def longest_text(config, tokenizer):
    """The program's limit of tokens: that of the tokenizer or the number of the model's positions.
    RoBERTa's positions start at `pad_token_id + 1`."""
    is_roberta = config.model_type in ["roberta", "xlm-roberta"]
    unused = config.pad_token_id + 1 if is_roberta else 0
    return min(tokenizer.model_max_length, config.max_position_embeddings - unused)


def load(folder):
    """The model in float32 and its tokenizer, loaded by transformers without missing keys."""
    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    for what, keys in report.items():
        check(not keys, f"{folder}: transformers reports {what}: {keys}")
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def answers(model, tokenizer, texts):
    """The predictions of transformers, one text at a time: label, logits and tokens."""
    limit = longest_text(model.config, tokenizer)
    found = []
    for text in texts:
        encoded = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
        with torch.no_grad():
            logits = model(**encoded).logits[0]
        ids = encoded["input_ids"][0].tolist()
        found.append(
            {
                "text": text,
                "label": model.config.id2label[int(logits.argmax())],
                "logits": logits.tolist(),
                "tokens": tokenizer.convert_ids_to_tokens(ids),
                "truncated": len(tokenizer(text)["input_ids"]) > limit,
            }
        )
    return found


def call(command):
    """Runs the program, whose exit status must be zero, and returns its output."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    check(
        done.returncode == 0,
        f"`{' '.join(command[:4])} …` ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}",
    )
    return done.stdout


def predict_command(program, folder, texts):
    return [program, "predict", "--json", "--model-name-or-path", folder, "--", *texts]


def predicted(program, folder, texts):
    """The predictions of the program."""
    return [json.loads(line) for line in call(predict_command(program, folder, texts)).splitlines()]


def difference(ours, theirs):
    """The largest difference between the logits of two lists of predictions."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(np.subtract(a["logits"], b["logits"])).max()) for a, b in pairs)


def compare(where, program_answers, python_answers, tolerance):
    """Compares predictions of the program and of transformers; returns the largest difference of
    the logits."""
    check(
        len(program_answers) == len(python_answers),
        f"{where}: {len(program_answers)} predictions of {len(python_answers)} texts",
    )
    for ours, theirs in zip(program_answers, python_answers):
        text = theirs["text"]
        for key in ["text", "tokens", "truncated", "label"]:
            check(
                ours[key] == theirs[key],
                f"{where}: {key} of {text!r}: the program {ours[key]}, transformers {theirs[key]}",
            )
        check(
            len(ours["logits"]) == len(theirs["logits"])
            and difference([ours], [theirs]) <= tolerance,
            f"{where}: logits of {text!r}: the program {ours['logits']}, "
            f"transformers {theirs['logits']}",
        )
    return difference(program_answers, python_answers)
