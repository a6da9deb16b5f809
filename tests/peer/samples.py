"""The tutorial's samples of NSMC, read from the files that the program embeds. Shared by
`job_worker.py` and `lengths.py`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy
import zstandard

from common import REPOSITORY, check


class Sample(NamedTuple):
    id: str
    text: str
    label: int


def unpacked(file: Path) -> str:
    """The content of a text file that is compressed with zstd."""
    check(file.is_file(), f"{file}: no such file")
    packed = zstandard.ZstdDecompressor().decompressobj()
    return packed.decompress(file.read_bytes()).decode("utf-8")


def load(split: str, count: int) -> list[Sample]:
    """The samples of a split that `shuffle(seed=42).select(range(count))` of `datasets` selects."""
    text = unpacked(REPOSITORY / "assets" / "nsmc" / f"ratings_{split}.txt.zst")
    # The first line is the header, and the last one ends with a line break.
    lines = text.split("\n")[1:-1]
    order = numpy.random.default_rng(42).permutation(len(lines))
    samples = []
    for index in order[:count]:
        name, document, label = lines[index].split("\t")
        samples.append(Sample(name, document, int(label)))
    return samples
