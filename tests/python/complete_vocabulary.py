"""Adds the characters to the embedded model that its vocabulary lacks: the syllables of KS X 1001, the
jamo of its compatibility block, and the emoji of one code point. The existing tokens keep their ids,
scores and weights, and a text without any added character keeps its tokens. A text is normalized
before, so a jamo is added as the conjoining letter that NFKC makes of it, and an emoji that NFKC makes
other characters of, such as ™ or 🈚, is left out.

In tokenizer.json, a first step of the normalizer removes the variation selectors U+FE0E and U+FE0F,
which phones write after ❤ or ☺, and the joiner U+200D, so that a sequence becomes its parts.

The new tokens get the lowest score, and these embeddings:

- a syllable: the middle of two means, that of the known syllables with its initial consonant and vowel,
  and that of the known syllables with its vowel and final consonant. Without one of the two, the other;
  without both (촁), the mean of the known syllables with its vowel;
- a jamo: the mean of the known ones of its kind (initial consonant, vowel or final consonant);
- an emoji: the mean of the known ones.

To each of them normal noise is added, so that no two are equal: in each dimension, a tenth of the
standard deviation of the known syllables, jamo of that kind, or emoji.

Needs numpy and safetensors; no network, no GPU, a few seconds. On a vocabulary that is complete it
changes nothing. Usage:

    python tests/python/complete_vocabulary.py [--folder assets/model]
"""

import argparse
import json
import unicodedata
from pathlib import Path

import numpy as np
from embedded_model import ASSETS, BLOCK, quantize
from safetensors.numpy import load_file, save_file

TABLE = "bert.embeddings.word_embeddings.weight"
REMOVED = {"type": "Replace", "pattern": {"Regex": "[\\uFE0E\\uFE0F\\u200D]"}, "content": ""}
# The share of the standard deviation that the noise has.
NOISE = 0.1
# The code points beyond ASCII with the property Emoji=Yes of Unicode 18.0 (emoji-data.txt, as
# `\p{Emoji}` of the Python package regex 2026.11.19 has it): those with Emoji_Presentation=Yes and
# those that are emoji before U+FE0F.
EMOJI = """
A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 23CF 23E9-23F3 23F8-23FA 24C2 25AA-25AB
25B6 25C0 25FB-25FE 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623 2626 262A 262E-262F
2638-263A 2640 2642 2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F 2692-2697 2699 269B-269C
26A0-26A1 26A7 26AA-26AB 26B0-26B1 26BD-26BE 26C4-26C5 26C8 26CE-26CF 26D1 26D3-26D4 26E9-26EA
26F0-26F5 26F7-26FA 26FD 2702 2705 2708-270D 270F 2712 2714 2716 271D 2721 2728 2733-2734 2744 2747
274C 274E 2753-2755 2757 2763-2764 2795-2797 27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55
3030 303D 3297 3299 1F004 1F0CF 1F170-1F171 1F17E-1F17F 1F18E 1F191-1F19A 1F1E6-1F1FF 1F201-1F202
1F21A 1F22F 1F232-1F23A 1F250-1F251 1F300-1F321 1F324-1F393 1F396-1F397 1F399-1F39B 1F39E-1F3F0
1F3F3-1F3F5 1F3F7-1F4FD 1F4FF-1F53D 1F549-1F54E 1F550-1F567 1F56F-1F570 1F573-1F57A 1F587
1F58A-1F58D 1F590 1F595-1F596 1F5A4-1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4 1F5D1-1F5D3
1F5DC-1F5DE 1F5E1 1F5E3 1F5E8 1F5EF 1F5F3 1F5FA-1F64F 1F680-1F6C5 1F6CB-1F6D2 1F6D5-1F6D9
1F6DC-1F6E5 1F6E9 1F6EB-1F6EC 1F6F0 1F6F3-1F6FC 1F7E0-1F7EB 1F7F0 1F90C-1F93A 1F93C-1F945
1F947-1F9FF 1FA70-1FA7C 1FA80-1FAC6 1FAC8 1FACC-1FADD 1FADF-1FAEB 1FAEF-1FAFA
"""


def normalized(text):
    return unicodedata.normalize("NFKC", text)


def syllables():
    """The 2,350 syllables of KS X 1001."""
    return [bytes([a, b]).decode("euc_kr") for a in range(0xB0, 0xC9) for b in range(0xA1, 0xFF)]


def jamo():
    """The conjoining letters of the 51 compatibility jamo."""
    return [normalized(chr(code)) for code in range(0x3131, 0x3164)]


def emoji():
    """The emoji of one code point that NFKC leaves as they are."""
    found = []
    for part in EMOJI.split():
        first, _, last = part.partition("-")
        found += map(chr, range(int(first, 16), int(last or first, 16) + 1))
    return [c for c in found if normalized(c) == c]


def parts(syllable):
    """The numbers of its initial consonant, vowel and final consonant (0 without one)."""
    number = ord(syllable) - 0xAC00
    return number // 588, number % 588 // 28, number % 28


def kind(letter):
    """Of a conjoining letter: initial consonant, vowel or final consonant."""
    return (letter >= "\u1161") + (letter >= "\u11a8")


class Embeddings:
    """The embeddings of a vocabulary, by token."""

    def __init__(self, tokens, integers, scales):
        values = integers * np.repeat(scales.astype(np.float32), BLOCK, 1)[:, : integers.shape[1]]
        self.rows = dict(zip(tokens, values, strict=True))
        self.generator = np.random.default_rng(0)

    def of(self, tokens):
        return np.array([self.rows[token] for token in tokens if token in self.rows])

    def of_new(self, token):
        if "가" <= token <= "힣":
            known = [c for c in self.rows if len(c) == 1 and "가" <= c <= "힣"]
            mean = self.mean_for_syllable(token, known)
        else:
            is_letter = "\u1100" <= token <= "\u11ff"
            known = [c for c in jamo() if kind(c) == kind(token)] if is_letter else emoji()
            mean = self.of(known).mean(0)
        deviations = self.of(known).std(0) * NOISE
        return mean + self.generator.normal(0, 1, len(mean)) * deviations

    def mean_for_syllable(self, syllable, known):
        initial, vowel, final = parts(syllable)
        groups = [
            [c for c in known if parts(c)[:2] == (initial, vowel)],
            [c for c in known if parts(c)[1:] == (vowel, final)],
        ]
        groups = [group for group in groups if group]
        groups = groups or [[c for c in known if parts(c)[1] == vowel]]
        return np.mean([self.of(group).mean(0) for group in groups], 0)


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ASSETS)
    folder = parser.parse_args().folder
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    tokens = [token for token, _ in vocabulary]
    known = set(tokens)
    groups = [syllables(), jamo(), emoji()]
    missing = [[c for c in dict.fromkeys(group) if c not in known] for group in groups]
    new = sum(missing, [])
    counts = " syllables, ".join(str(len(group)) for group in missing[:2])
    print(f"{len(new)} new tokens: {counts} jamo, {len(missing[2])} emoji")
    normalizers = tokenizer["normalizer"]["normalizers"]
    if not new and REMOVED in normalizers:
        return

    tensors = load_file(folder / "model.q8.safetensors")
    scales = f"{TABLE}.scales"
    embeddings = Embeddings(tokens, tensors[TABLE], tensors[scales])
    if new:
        added = quantize(np.array([embeddings.of_new(token) for token in new], np.float32))
        for name, rows in zip([TABLE, scales], added, strict=True):
            tensors[name] = np.concatenate([tensors[name], rows])
    lowest = min(score for _, score in vocabulary)
    vocabulary += [[token, lowest] for token in new]
    if REMOVED not in normalizers:
        normalizers.insert(0, REMOVED)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["vocab_size"] = len(vocabulary)

    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")) + "\n"
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    save_file(tensors, folder / "model.q8.safetensors")
    size = sum(file.stat().st_size for file in folder.iterdir())
    weights = [tensor.size for name, tensor in tensors.items() if not name.endswith(".scales")]
    print(f"{folder}: {len(vocabulary):,} tokens, {sum(weights):,} parameters, {size:,} bytes")


if __name__ == "__main__":
    run()
