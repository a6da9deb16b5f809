"""The tutorial's sample of NSMC, read from the files that the program carries.

Not a script of its own: `job_worker.py` and `lengths.py` import it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy
import zstandard

from common import REPOSITORY, check


class Review(NamedTuple):
    id: str
    text: str
    label: int


def unpacked(file: Path) -> str:
    """A text file that is compressed with zstd."""
    check(file.is_file(), f"{file} is not there")
    packed = zstandard.ZstdDecompressor().decompressobj()
    return packed.decompress(file.read_bytes()).decode("utf-8")


def sample(split: str, count: int) -> list[Review]:
    """So many reviews of a split, as `datasets`' `shuffle(seed=42).select(range(count))`."""
    text = unpacked(REPOSITORY / "assets" / "nsmc" / f"ratings_{split}.txt.zst")
    # The first line names the columns, and the last one ends with a line break.
    lines = text.split("\n")[1:-1]
    order = numpy.random.default_rng(42).permutation(len(lines))
    reviews = []
    for index in order[:count]:
        name, document, label = lines[index].split("\t")
        reviews.append(Review(name, document, int(label)))
    return reviews
