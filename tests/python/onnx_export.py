"""Compares what ONNX Runtime computes from exported models with transformers: all architectures,
batches with padding, pairs of texts.

Needs the packages of requirements.txt; no network, no GPU, half a minute. Usage:

    python tests/python/onnx_export.py target/release/nsmc-tui WORKDIR
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from support import REFERENCE, check, main, ok

import numpy as np
import onnxruntime
import torch
from transformers import AutoModelForSequenceClassification

FAMILIES = [
    "bert",
    "bert_pairs",
    "roberta",
    "roberta_padding",
    "xlm_roberta",
    "electra",
    "electra_same_size",
    "electra_pairs",
    "distilbert",
    "deberta",
    "deberta_apart",
    "deberta_keys",
    "deberta_absolute",
]
# Models whose head reads the mean of all tokens, which transformers computes only with a hook.
MEANS = ["bert_mean", "roberta_mean"]
TOLERANCE = 1e-5


def export(program, family, workdir):
    """The session of a model, exported from a copy of its folder with a tokenizer of its vocabulary."""
    folder = workdir / family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ["config.json", "model.safetensors"]:
        shutil.copy(REFERENCE / family / name, folder / name)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    line = [program, "export", "--format", "onnx", "--model-name-or-path", folder]
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True)
    check(done.returncode == 0, f"{family}: {done.stderr}")
    file = folder / "model.onnx"
    check(done.stdout.strip() == str(file), f"{family}: printed {done.stdout}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def batch_of(family, rows=None):
    file = "batches.json" if family == "bert" else "reference.json"
    batch = json.loads((REFERENCE / family / file).read_text(encoding="utf-8"))
    batch = batch["batches"][0] if family == "bert" else batch
    batch = {k: np.array(batch[k], dtype=np.int64) for k in batch if k.endswith(("_ids", "_mask"))}
    if rows is None:
        return batch
    # Some rows, without the columns that are padding in all of them.
    length = int(batch["attention_mask"][rows].sum(1).max())
    return {name: values[rows, :length] for name, values in batch.items()}


def inputs_of(session, batch):
    names = [one.name for one in session.get_inputs()]
    types = batch.get("token_type_ids", np.zeros_like(batch["input_ids"]))
    return {name: types if name == "token_type_ids" else batch[name] for name in names}


def compare(program, family, workdir):
    session = export(program, family, workdir)
    model = AutoModelForSequenceClassification.from_pretrained(REFERENCE / family).eval()
    worst = 0.0
    for rows in [None, [0], [1, 3], [2]]:
        batch = batch_of(family, rows)
        (logits,) = session.run(["logits"], inputs_of(session, batch))
        with torch.no_grad():
            tensors = {name: torch.tensor(values) for name, values in batch.items()}
            expected = model(**tensors).logits.numpy()
        check(logits.shape == expected.shape, f"{family}: logits of shape {logits.shape}")
        worst = max(worst, float(np.abs(logits - expected).max()))
    check(worst < TOLERANCE, f"{family}: logits differ by {worst}")
    metadata = session.get_modelmeta().custom_metadata_map
    labels = {str(k): v for k, v in model.config.id2label.items()}
    check(json.loads(metadata["id2label"]) == labels, f"{family}: {metadata}")
    ok(f"{family}: {worst:.1e}")


def compare_mean(program, family, workdir):
    """The reference has the logits of the first batch."""
    from safetensors.numpy import load_file

    session = export(program, family, workdir)
    (logits,) = session.run(["logits"], inputs_of(session, batch_of(family)))
    expected = load_file(REFERENCE / family / "reference.safetensors")["logits"]
    worst = float(np.abs(logits - expected).max())
    check(worst < TOLERANCE, f"{family}: logits differ by {worst}")
    ok(f"{family}: {worst:.1e}")


def run():
    program, workdir = Path(sys.argv[1]), Path(sys.argv[2])
    for family in FAMILIES:
        compare(program, family, workdir)
    for family in MEANS:
        compare_mean(program, family, workdir)


if __name__ == "__main__":
    main(run)
