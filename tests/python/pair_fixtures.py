"""Writes `tests/reference/pairs`: pairs of texts as transformers encodes them, with which the Rust
tests compare the program's tokenizer, and a small byte-level tokenizer like RoBERTa's.

Needs the packages of requirements.txt; no network, no GPU, a few seconds. Usage:

    python tests/python/pair_fixtures.py
"""

import json
import shutil
import tempfile
from pathlib import Path

from support import REFERENCE

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, __version__

EMBEDDED = REFERENCE.parents[1] / "assets/random/tokenizer.json"
TEXTS = [
    ("남자가 잔다", "남자가 깨어 있다"),
    ("", "두 번째 문장만 있다"),
    ("첫 문장만 있다", ""),
    ("", ""),
    ("정말 재미있는 영화였다. 다시 보고 싶다!", "별로"),
    ("별로", "정말 재미있는 영화였다. 다시 보고 싶다!"),
    ("하나 둘 셋 넷 다섯 여섯", "일곱 여덟 아홉 열 열하나 열둘"),
    ("A man sleeps [SEP] here", "the <pad> man's awake </s>"),
]
LENGTHS = [4, 5, 6, 7, 8, 9, 12, 15, 16, 64]
TYPES = ["input_ids", "token_type_ids", "attention_mask"]
BERT = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False}
GENERIC = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    **{f"{role}_token": f"[{role.upper()}]" for role in ["cls", "sep", "pad", "unk", "mask"]},
}
# The tokenizer, the model's type and `tokenizer_config.json`.
CASES = [
    ("embedded", "bert", BERT),
    ("embedded", "electra", {"do_lower_case": True, "strip_accents": False}),
    ("embedded", "roberta", BERT),
    ("embedded", "bert", {**BERT, "model_input_names": ["input_ids", "attention_mask"]}),
    ("embedded", "bert", {**BERT, "truncation_side": "left"}),
    ("embedded", "bert", GENERIC),
    ("embedded", "bert", {**GENERIC, "model_input_names": TYPES}),
    ("roberta", "roberta", {"tokenizer_class": "RobertaTokenizer"}),
    ("roberta", "roberta", {}),
]


def roberta():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([text for pair in TEXTS for text in pair], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>"))
    )
    return tokenizer


def answers(tokenizer):
    for first, second in TEXTS:
        for length in LENGTHS:
            # Lists, as in training: alone, an empty second text would not be one of a pair.
            encoded = tokenizer([first], [second], truncation="longest_first", max_length=length)
            ids = encoded["input_ids"][0]
            types = encoded.get("token_type_ids", [[0] * len(ids)])[0]
            yield [first, second, length, ids, types]


def run():
    folder = REFERENCE / "pairs"
    folder.mkdir(exist_ok=True)
    roberta().save(str(folder / "roberta.json"), pretty=False)
    cases = []
    for name, model_type, config in CASES:
        with tempfile.TemporaryDirectory() as model:
            file = EMBEDDED if name == "embedded" else folder / "roberta.json"
            shutil.copy(file, Path(model) / "tokenizer.json")
            (Path(model) / "config.json").write_text(json.dumps({"model_type": model_type}))
            (Path(model) / "tokenizer_config.json").write_text(json.dumps(config))
            tokenizer = AutoTokenizer.from_pretrained(model)
            cases.append(
                {
                    "tokenizer": name,
                    "model_type": model_type,
                    "config": config,
                    "pairs": list(answers(tokenizer)),
                }
            )
            print(name, type(tokenizer).__name__, tokenizer.model_input_names)
    text = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    text = f'{{"transformers": "{__version__}", "cases": [\n{text}\n]}}\n'
    (folder / "pairs.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run()
