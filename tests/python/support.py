"""What the scripts of this folder share. Needs the packages of requirements.txt; runs on the CPU.

Not a script of its own: `fixtures.py`, `two_way.py` and `full_size.py` import it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

# Before torch and transformers are imported: no GPU, no network, no chatter.
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
    """What the program or a file got wrong, in words for the person who runs the script."""


def main(run):
    """Runs a script's `run()`; a failure ends it with one line and exit status 1."""
    try:
        run()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")


def check(holds, message):
    if not holds:
        raise Failed(message)


def ok(message):
    print(f"ok: {message}", flush=True)


def widen(model, seed, spread=0.3):
    """Draws every parameter anew, biases too, so wide that no mistake hides in zeros and ones."""
    draw = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = draw.normal(0.0, spread, tuple(parameter.shape))
            if name.endswith("LayerNorm.weight"):
                values = 1.0 + values / 2
            parameter.copy_(torch.from_numpy(values))
    return model


def longest_text(config, tokenizer):
    """How many tokens the program lets a text have: what the tokenizer allows, or what the model has
    positions for. RoBERTa numbers positions from `pad_token_id + 1`."""
    unused = config.pad_token_id + 1 if config.model_type == "roberta" else 0
    return min(tokenizer.model_max_length, config.max_position_embeddings - unused)


def load(folder):
    """The model in float32 and its tokenizer, as transformers reads them; every key must fit."""
    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    for what, keys in report.items():
        check(not keys, f"{folder}: transformers finds {what}: {keys}")
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def answers(model, tokenizer, texts):
    """What transformers says of each text: label, logits and tokens, one text at a time."""
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
    """Runs the program; its exit status must be zero. Returns what it printed."""
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    check(
        done.returncode == 0,
        f"`{' '.join(command[:4])} …` ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}",
    )
    return done.stdout


def predict_command(program, folder, texts):
    return [program, "predict", "--json", "--model-name-or-path", folder, "--", *texts]


def predicted(program, folder, texts):
    """What the program says of each text."""
    return [json.loads(line) for line in call(predict_command(program, folder, texts)).splitlines()]


def difference(ours, theirs):
    """The largest difference between two lists of answers' logits."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(np.subtract(a["logits"], b["logits"])).max()) for a, b in pairs)


def compare(where, program_says, python_says, tolerance):
    """Holds the program's answers against transformers'; returns the logits' largest difference."""
    check(
        len(program_says) == len(python_says),
        f"{where}: {len(program_says)} answers to {len(python_says)} texts",
    )
    for ours, theirs in zip(program_says, python_says):
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
    return difference(program_says, python_says)
