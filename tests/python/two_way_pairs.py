"""Pairs of texts in both directions: the program trains on pairs, and transformers gives the same
logits for the saved model; a model that transformers saves predicts pairs in the program alike. Also
RoBERTa with the padding token inside the texts.

    python tests/python/two_way_pairs.py target/release/nsmc-tui WORKDIR
"""

import argparse
import json
import shutil
from pathlib import Path

from support import REFERENCE, call, check, load, main, ok, widen

import numpy as np
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification
from transformers import RobertaConfig, RobertaForSequenceClassification

PAIRS = [
    ("남자가 잔다", "남자가 깨어 있다"),
    ("개가 뛴다", ""),
    ("", "개는 빠르다"),
    ("정말 재미있는 영화였다. 다시 보고 싶다! " * 9, "별로"),
    ("영화 ☃ 최고 [PAD] 영화", "[PAD] 최고 ☃"),
]


def compare(where, program, folder, limit):
    model, tokenizer = load(folder)
    lines = [f"{first}\t{second}" for first, second in PAIRS]
    command = [program, "predict", "--json", "--text-pair", "--model-name-or-path", folder]
    found = call([*command, "--max-seq-length", limit, "--", *lines]).splitlines()
    largest = 0.0
    for (first, second), line in zip(PAIRS, found, strict=True):
        answer = json.loads(line)
        encoded = tokenizer(
            [first], [second], truncation="longest_first", max_length=limit, return_tensors="pt"
        )
        with torch.no_grad():
            logits = model(**encoded).logits[0].numpy()
        ids = encoded["input_ids"][0].tolist()
        tokens = tokenizer.convert_ids_to_tokens(ids)
        check(answer["tokens"] == tokens, f"{where}: {answer['tokens']} instead of {tokens}")
        largest = max(largest, float(np.abs(np.array(answer["logits"]) - logits).max()))
    check(largest < 1e-4, f"{where}: the logits differ by {largest}")
    ok(f"{where}: {len(PAIRS)} pairs, largest difference {largest:.1e}")


def saved_by_python(folder, make, config, names):
    """A model on random weights with the embedded tokenizer, whose [UNK] is the padding of RoBERTa."""
    folder.mkdir(parents=True)
    shutil.copy(REFERENCE.parents[1] / "assets/random/tokenizer.json", folder)
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False}
    settings.update(names)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    widen(
        make(config(vocab_size=len(vocabulary), intermediate_size=48, **size)), 21, 0.2
    ).save_pretrained(folder)
    return folder


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=Path)
    parser.add_argument("workdir", type=Path)
    args = parser.parse_args()
    program, work = args.program.resolve(), args.workdir
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    rows = ["premise\thypothesis\tlabel"]
    rows += [f"남자가 잔다\t{['영화 최고', '별로 지루'][n % 2]}\t{'ab'[n % 2]}" for n in range(40)]
    (work / "nli.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    output = work / "outputs"
    tiny = "hidden_size=24,intermediate_size=48,num_hidden_layers=2"
    call(
        [program, "train", "--train-file", work / "nli.tsv", "--output-dir", output]
        + ["--model-name-or-path", "random"]
        + ["--config-overrides", tiny, "--num-train-epochs", 3]
    )
    compare("trained by the program", program, output, 40)
    bert = saved_by_python(work / "bert", BertForSequenceClassification, BertConfig, {})
    compare("BERT saved by Python", program, bert, 64)

    def config(**values):
        return RobertaConfig(**values, pad_token_id=1, type_vocab_size=1)

    names = {"model_input_names": ["input_ids", "attention_mask"]}
    roberta = saved_by_python(work / "roberta", RobertaForSequenceClassification, config, names)
    tokenizer = AutoTokenizer.from_pretrained(roberta)
    check(tokenizer.unk_token_id == 1, "[UNK] is not 1")
    compare("RoBERTa whose padding is [UNK]", program, roberta, 64)


if __name__ == "__main__":
    main(run)
