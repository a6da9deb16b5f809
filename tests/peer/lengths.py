"""Prints as JSON the number of multilingual BERT's tokens in each of the tutorial's 2,000 training
samples, in their order. `step.py` reads them from `nsmc_lengths.json`. Usage:

    python tests/peer/lengths.py > tests/peer/nsmc_lengths.json
"""

import json

from tokenizers import Tokenizer

from common import REPOSITORY, main, parser
from samples import load, unpacked


def run() -> None:
    parser(__doc__).parse_args()
    folder = REPOSITORY / "tests" / "reference" / "mbert"
    tokenizer = Tokenizer.from_str(unpacked(folder / "tokenizer.json.zst"))
    texts = [sample.text for sample in load("train", 2000)]
    print(json.dumps([len(encoded.ids) for encoded in tokenizer.encode_batch(texts)]))


if __name__ == "__main__":
    main(run)
