"""Writes the embedded model, `assets/model/{config.json,tokenizer.json,tokenizer_config.json,
model.q8.safetensors}`, from the folder of a pretrained BERT encoder. Matrices are rounded to 8 bits:
one float16 scale for each 64 columns of a row (`src/core/model/quantized.rs` reads them).

Needs numpy and safetensors; no network, no GPU, a few seconds. Usage:

    python tests/python/embedded_model.py FOLDER [--layers N] [--output-dir assets/model]
"""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

ASSETS = Path(__file__).resolve().parents[2] / "assets/model"
BLOCK = 64
# What config.json of the embedded model says besides its shape.
CONFIG = {
    "architectures": ["BertForSequenceClassification"],
    "classifier_pooling": "mean",
    "id2label": {"0": "negative", "1": "positive"},
    "label2id": {"negative": 0, "positive": 1},
}
DROPPED = ["dtype", "transformers_version", "use_cache", "bos_token_id", "eos_token_id"]


def quantize(matrix):
    """8-bit integers `[rows, columns]` and the scale of each block, `[rows, blocks]`."""
    rows, columns = matrix.shape
    blocks = -(-columns // BLOCK)
    padded = np.zeros((rows, blocks * BLOCK), np.float32)
    padded[:, :columns] = matrix
    padded = padded.reshape(rows, blocks, BLOCK)
    scales = (np.abs(padded).max(2) / 127).astype(np.float16)
    # A scale that was rounded down would push the largest value beyond 127.
    divisors = np.where(scales == 0, 1, scales).astype(np.float32)[:, :, None]
    integers = np.clip(np.rint(padded / divisors), -127, 127).astype(np.int8)
    return integers.reshape(rows, -1)[:, :columns].copy(), scales


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, help="keep only the lowest layers")
    parser.add_argument("--output-dir", type=Path, default=ASSETS)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    config = json.loads((args.folder / "config.json").read_text(encoding="utf-8"))
    layers = args.layers or config["num_hidden_layers"]
    config = {name: value for name, value in config.items() if name not in DROPPED}
    config |= {**CONFIG, "num_hidden_layers": layers}
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (args.output_dir / "config.json").write_text(text, encoding="utf-8")
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        value = json.loads((args.folder / name).read_text(encoding="utf-8"))
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
        (args.output_dir / name).write_text(text, encoding="utf-8")

    tensors, worst = {}, 0.0
    with safe_open(args.folder / "model.safetensors", "numpy") as file:
        for stored in file.keys():
            name = stored.removeprefix("bert.")
            if not name.startswith(("embeddings.", "encoder.")) or name.endswith("_ids"):
                continue
            if name.startswith("encoder.layer.") and int(name.split(".")[2]) >= layers:
                continue
            values = file.get_tensor(stored).astype(np.float32)
            if values.ndim == 2:
                integers, scales = quantize(values)
                tensors[f"bert.{name}"] = integers
                tensors[f"bert.{name}.scales"] = scales
                read = integers * np.repeat(scales.astype(np.float32), BLOCK, 1)[:, : values.shape[1]]
                worst = max(worst, float(np.linalg.norm(read - values) / np.linalg.norm(values)))
            else:
                tensors[f"bert.{name}"] = values
    save_file(tensors, args.output_dir / "model.q8.safetensors")
    size = sum(file.stat().st_size for file in args.output_dir.iterdir())
    print(f"{args.output_dir}: {size:,} bytes; largest relative error of a matrix {worst:.4f}")


if __name__ == "__main__":
    run()
