"""Compares the program with transformers on random texts: every kind of tokenizer with odd
options in tokenizer_config.json must give the same ids, and every architecture with odd values in
config.json the same logits; or both refuse. Where the program reads files differently on purpose,
it must say so.

Needs the packages of requirements.txt; no network, no GPU, about two minutes. Usage:

    python tests/python/differential.py PROGRAM WORKDIR [--seed N]

PROGRAM is the built `nsmc-tui`; WORKDIR is a folder for models, which are overwritten. Each passed
check prints a line `ok: …`; the first failed one ends the script.
"""

import argparse
import json
import random
import shutil
import subprocess
import unicodedata
from pathlib import Path

from support import check, longest_text, main, ok, widen

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import trainers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2Tokenizer,
    DistilBertConfig,
    ElectraConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

TOLERANCE = 1e-4
# Texts for each kind of tokenizer, for each odd option, and for each odd configuration.
TEXTS = 300
TEXTS_PER_OPTION = 300
TEXTS_PER_CONFIG = 300
POSITIONS = 40

WORDS = "정말 재미있는 영화 였어요 최고의 연기 지루해서 별로 OST 2편 the movie was good naïve café".split()
SPECIAL = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<s>", "</s>", "<pad>", "<mask>", "<unk>"]
SPACES = [" ", "  ", "\t", "\u00a0", "\u3000", "\u2009", "\u2028", "\u0085", "\x0b", "\u1680"]
INVISIBLE = ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060", "\u202e", "\ufe0f", "\U000e0061"]
EMOJI = ["😀", "👨\u200d👩\u200d👧", "🇰🇷", "❤\ufe0f", "👍🏽", "☃"]
CONTROLS = ["\x00", "\x01", "\x1b[2J", "\x7f", "\u0090"]


def random_texts(draw, count):
    """Texts of Hangul in all forms, other scripts, emoji, spaces, controls and special tokens,
    without line feeds: the program reads one text a line."""

    def syllables():
        return "".join(chr(draw.randint(0xAC00, 0xD7A3)) for _ in range(draw.randint(1, 5)))

    def jamo():
        first = [chr(draw.randint(0x1100, 0x11FF)), chr(draw.randint(0x3131, 0x318E))]
        return "".join(draw.choice(first) for _ in range(draw.randint(1, 4)))

    makers = [
        lambda: draw.choice(WORDS),
        lambda: draw.choice(WORDS),
        lambda: draw.choice(WORDS).upper(),
        syllables,
        jamo,
        lambda: unicodedata.normalize("NFD", draw.choice(WORDS)),
        lambda: chr(draw.randint(0x4E00, 0x9FFF)) + chr(draw.choice([0xF933, 0xF9B6, 0x3400])),
        lambda: draw.choice(EMOJI),
        lambda: draw.choice(CONTROLS),
        lambda: draw.choice(INVISIBLE),
        lambda: draw.choice(SPECIAL),
        lambda: draw.choice(SPECIAL).lower(),
        lambda: "".join(draw.choice("ＡｂＣ１２！（ｶﾞ") for _ in range(3)),
        lambda: "".join(draw.choice("éèÀÖñçİıßǅΣςﬃ") for _ in range(3)),
        lambda: draw.choice("e a o".split()) + chr(draw.randint(0x300, 0x36F)),
        lambda: draw.choice(["ab", "가", "x"]) * draw.randint(40, 120),
        lambda: draw.choice("!?.,…~ㅋㅠ$^`|<>[]▁#") * draw.randint(1, 4),
        lambda: chr(draw.choice([draw.randint(0xA0, 0x2FFF), draw.randint(0x10000, 0x1F9FF)])),
    ]
    texts = ["", " ", "최고 영화", "[MASK]", "[CLS] a [SEP]", "\u200b", "ㅋ" * 300]
    while len(texts) < count:
        parts = [draw.choice(makers)() for _ in range(draw.randint(1, 9))]
        spaced = "".join(part + draw.choice(["", " ", draw.choice(SPACES)]) for part in parts)
        texts.append(spaced.replace("\n", " ").rstrip("\r"))
    return texts


# --- the kinds of tokenizers


def characters(texts):
    """Most of the characters that the texts have: the others are unknown."""
    found = sorted({c for text in texts for c in text if not c.isspace()})
    return [c for i, c in enumerate(found) if i % 5]


def wordpieces(texts):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    single = characters(texts + WORDS + [word.lower() for word in WORDS])
    pieces = WORDS + [w.lower() for w in WORDS] + single + ["##" + c for c in single]
    stripped = (piece for piece in dict.fromkeys(special + pieces))
    # A line of vocab.txt ends without its whitespace.
    return [piece for piece in stripped if piece == piece.strip() and len(piece.split()) == 1]


def bert_vocabulary(folder, texts):
    text = "\n".join(wordpieces(texts)) + "\n"
    (folder / "vocab.txt").write_text(text, encoding="utf-8", newline="")


def bert_json(folder, texts):
    bert_vocabulary(folder, texts)
    tokenizer = BertTokenizer(
        str(folder / "vocab.txt"), do_lower_case=False, strip_accents=False, model_max_length=36
    )
    tokenizer.save_pretrained(folder)
    (folder / "vocab.txt").unlink()


def byte_level(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(WORDS * 5 + [" " + word for word in WORDS] * 5 + texts, trainer)
    ids = [tokenizer.token_to_id(token) for token in ["</s>", "<s>"]]
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", ids[0]), ("<s>", ids[1]), trim_offsets=True, add_prefix_space=False
    )
    return tokenizer


def roberta_json(folder, texts):
    byte_level(texts).save(str(folder / "tokenizer.json"))


def roberta_merges(folder, texts):
    byte_level(texts).model.save(str(folder))


def unigram(folder, texts, normalizer, pre_tokenizer):
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    draw = random.Random(5)
    single = ["▁" + word for word in WORDS] + ["▁"] + characters(texts + WORDS)
    pieces = [piece for piece in dict.fromkeys(single) if piece not in special]
    vocabulary = [(piece, 0.0) for piece in special]
    vocabulary += [(piece, -draw.uniform(2.0, 9.0)) for piece in pieces]
    vocabulary.append(("<mask>", 0.0))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.add_special_tokens([*special, "<mask>"])
    tokenizer.save(str(folder / "tokenizer.json"))


def xlm_roberta(folder, texts):
    split = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    unigram(folder, texts, None, pre_tokenizers.Sequence(split))


def deberta(folder, texts):
    """The pieces of `unigram` as `DebertaV2Tokenizer` saves them."""
    draw = random.Random(6)
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    single = ["▁" + word for word in WORDS] + ["▁"] + characters(texts + WORDS)
    pieces = [piece for piece in dict.fromkeys(single) if piece not in special]
    vocabulary = [(piece, 0.0) for piece in special]
    vocabulary += [(piece, -draw.uniform(2.0, 9.0)) for piece in pieces]
    vocabulary.append(("[MASK]", 0.0))
    tokenizer = DebertaV2Tokenizer(vocab=vocabulary)
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer_config.json").unlink()


def e5(folder, texts):
    steps = [normalizers.NFKC(), normalizers.Replace(" ", " "), normalizers.Strip()]
    unigram(folder, texts, normalizers.Sequence(steps), pre_tokenizers.Metaspace())


NAMED = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
# Each kind: what writes its files, the model's type, and tokenizer_config.json.
KINDS = {
    "BERT vocab.txt": (bert_vocabulary, "bert", {"tokenizer_class": "BertTokenizer"}),
    "BERT tokenizer.json": (bert_json, "bert", {"tokenizer_class": "BertTokenizer"}),
    "ELECTRA": (bert_json, "electra", {"tokenizer_class": "ElectraTokenizer"}),
    "RoBERTa with BERT's": (bert_json, "roberta", {"tokenizer_class": "BertTokenizerFast"}),
    "RoBERTa byte-level": (roberta_json, "roberta", {"tokenizer_class": "RobertaTokenizer"}),
    "RoBERTa merges.txt": (roberta_merges, "roberta", {"tokenizer_class": "RobertaTokenizer"}),
    "DistilBERT": (bert_json, "distilbert", {"tokenizer_class": "DistilBertTokenizer"}),
    "XLM-R": (xlm_roberta, "xlm-roberta", {"tokenizer_class": "XLMRobertaTokenizer"}),
    "XLM-R Unigram": (xlm_roberta, "roberta", {"tokenizer_class": "XLMRobertaTokenizer"}),
    "DeBERTa": (deberta, "deberta-v2", {"tokenizer_class": "DebertaV2Tokenizer"}),
    "DeBERTa with BERT's": (bert_json, "deberta-v2", {"tokenizer_class": "BertTokenizerFast"}),
    "BERT with Unigram": (e5, "bert", {"tokenizer_class": "PreTrainedTokenizerFast", **NAMED}),
}

# Changes to tokenizer_config.json. `...` removes an option.
OPTIONS = [
    {},
    {"do_lower_case": True},
    {"do_lower_case": False},
    {"do_lower_case": None},
    {"do_lower_case": "false"},
    {"do_lower_case": False, "strip_accents": True},
    {"strip_accents": False},
    {"strip_accents": None},
    {"strip_accents": 0},
    {"tokenize_chinese_chars": False},
    {"tokenize_chinese_chars": None},
    {"add_prefix_space": True},
    {"add_prefix_space": False},
    {"add_prefix_space": None},
    {"split_by_punct": True, "do_lower_case": True},
    {"split_by_punct": 1, "add_prefix_space": 0},
    {"unk_id": 2},
    {"trim_offsets": False},
    {"truncation_side": "left"},
    {"truncation_side": None},
    {"truncation_side": "middle"},
    {"padding_side": "left"},
    {"padding_side": None},
    {"model_max_length": None},
    {"model_max_length": 1e30},
    {"model_max_length": 9},
    {"model_max_length": "9"},
    {"model_max_length": -1},
    {"max_len": 9},
    {"split_special_tokens": True},
    {"clean_up_tokenization_spaces": True},
    {"extra_special_tokens": ["good"]},
    {"additional_special_tokens": ["최고의"]},
    {"tokenizer_class": "PreTrainedTokenizerFast"},
    {"tokenizer_class": "NoSuchTokenizer"},
    {"tokenizer_class": ...},
    {"tokenizer_class": None},
    {"do_basic_tokenize": False, "never_split": ["good"]},
    {"added_tokens_decoder": "lstrip"},
]
# What the program must say where it knowingly differs from transformers.
DIFFERENCES = {
    # Python makes a tokenizer without a vocabulary of these.
    ("RoBERTa with BERT's", "tokenizer_class"): "tokenizer.json as a RobertaTokenizer",
    ("XLM-R Unigram", "tokenizer_class"): "tokenizer.json as a RobertaTokenizer",
    ("DeBERTa with BERT's", "tokenizer_class"): "tokenizer.json as a DebertaV2Tokenizer",
    ("BERT with Unigram", "tokenizer_class"): "tokenizer.json as a BertTokenizer",
    # Python reads the two files; the program asks for a tokenizer.json.
    ("RoBERTa merges.txt", ""): "no tokenizer.json and no vocab.txt",
}


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_json(file, value):
    file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def start(command, texts):
    """Runs the program on texts; returns its lines of JSON, or None if it refuses, and stderr."""
    lines = "".join(text + "\n" for text in texts)
    done = subprocess.run(
        [str(part) for part in command], input=lines.encode(), capture_output=True
    )
    errors = done.stderr.decode("utf-8", "replace")
    check(
        done.returncode in [0, 1] and "panicked" not in errors,
        f"{command[-1]}: ended with {done.returncode}: {errors[-500:]}",
    )
    if done.returncode == 1:
        return None, errors
    # Not splitlines(), which also splits at characters within texts.
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line], errors


def python_ids(folder, texts):
    """The ids of transformers, or its refusal."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer("a", truncation=True)
        return [tokenizer(text)["input_ids"] for text in texts], ""
    # A failed assertion of pyo3 is no Exception.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None, f"{type(error).__name__}: {error}"


def apply(options, changes):
    changed = {**options}
    for name, value in changes.items():
        if value is ...:
            changed.pop(name, None)
        else:
            changed[name] = value
    return changed


def added_tokens(folder, token):
    """An `added_tokens_decoder` with the special tokens of a tokenizer.json, and `token`."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return {}
    stored = json.loads(file.read_text(encoding="utf-8"))
    decoder = {str(entry.pop("id")): entry for entry in stored["added_tokens"]}
    vocabulary = stored["model"]["vocab"]
    names = [entry[0] for entry in vocabulary] if isinstance(vocabulary, list) else vocabulary
    for i, name in enumerate(names):
        if name == token:
            index = i if isinstance(vocabulary, list) else vocabulary[name]
            decoder[str(index)] = {"content": token, "lstrip": True, "special": False}
    return decoder


def compare_ids(where, texts, ours, theirs):
    for text, mine, other in zip(texts, ours, theirs, strict=True):
        check(
            mine == other,
            f"{where}: {text!r}: the program {mine}, transformers {other}",
        )


def tokenizers(program, workdir, texts):
    compared = refused = differing = 0
    for kind, (write, model_type, base) in KINDS.items():
        for number, changes in enumerate(OPTIONS):
            folder = fresh(workdir / "tokenizer")
            write(folder, texts)
            options = apply(base, changes)
            if "added_tokens_decoder" in changes:
                options["added_tokens_decoder"] = added_tokens(folder, "the")
                if not options["added_tokens_decoder"]:
                    continue
            write_json(folder / "config.json", {"model_type": model_type})
            write_json(folder / "tokenizer_config.json", options)
            some = texts if number == 0 else texts[:TEXTS_PER_OPTION]
            where = f"{kind} with {changes}"
            theirs, refusal = python_ids(folder, some)
            command = [program, "tokenize", "--json", "--model-name-or-path", folder]
            lines, errors = start(command, some)
            known = DIFFERENCES.get((kind, "")) or (
                DIFFERENCES.get((kind, "tokenizer_class"))
                if changes.get("tokenizer_class", "") in [None, ...]
                else None
            )
            if known is not None:
                # An option that both refuse may be named first.
                check(
                    known in errors or (lines is None and theirs is None),
                    f"{where}: the program does not say {known!r}: {errors}",
                )
                differing += 1
            elif lines is None or theirs is None:
                check(
                    (lines is None) == (theirs is None),
                    f"{where}: the program {errors or 'accepts it'!r}, "
                    f"transformers {refusal or 'accepts it'!r}",
                )
                check("tokenizer" in errors or "vocab" in errors, f"{where}: says {errors!r}")
                refused += 1
            else:
                compare_ids(where, some, [line["ids"] for line in lines], theirs)
                compared += len(some)
    ok(
        f"{compared} texts have the ids of transformers with {len(KINDS)} kinds of tokenizers and "
        f"{len(OPTIONS)} sets of options; both refuse {refused}, {differing} known differences are "
        "said"
    )


# --- odd configurations

SMALL = {
    "num_hidden_layers": 2,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
    "num_labels": 3,
}
CONFIGS = {
    "bert": BertConfig,
    "roberta": RobertaConfig,
    "xlm-roberta": XLMRobertaConfig,
    "electra": ElectraConfig,
    "distilbert": DistilBertConfig,
    "deberta-v2": DebertaV2Config,
}
TOKENIZER_OF = {
    "bert": "BERT tokenizer.json",
    "roberta": "RoBERTa byte-level",
    "xlm-roberta": "XLM-R",
    "electra": "ELECTRA",
    "distilbert": "DistilBERT",
    "deberta-v2": "DeBERTa",
}
# Changes to config.json after the model was saved; `...` removes a key.
ODDITIES = [
    {},
    {"hidden_act": "gelu_new"},
    {"hidden_act": "gelu_pytorch_tanh"},
    {"hidden_act": "gelu_fast"},
    {"hidden_act": "relu"},
    {"hidden_act": "silu"},
    {"hidden_act": "tanh"},
    {"hidden_act": "no_such"},
    {"hidden_act": ...},
    {"is_decoder": True},
    {"is_decoder": False},
    {"add_cross_attention": True, "is_decoder": True},
    {"position_embedding_type": "absolute"},
    {"position_embedding_type": "relative_key"},
    {"problem_type": "multi_label_classification"},
    {"problem_type": "regression"},
    {"problem_type": None},
    {"layer_norm_eps": 1e-3},
    {"layer_norm_eps": ...},
    {"num_attention_heads": 2},
    {"num_attention_heads": 5},
    {"pad_token_id": None},
    {"pad_token_id": 3},
    {"hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5},
    {"chunk_size_feed_forward": 1},
    {"output_attentions": True, "output_hidden_states": True},
    {"use_cache": False, "tie_word_embeddings": False},
    {"dtype": "float16"},
    {"torch_dtype": "float32"},
    {"id2label": {"0": 0, "1": 1, "2": 2}},
    {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}},
    {"intermediate_size": ...},
    {"summary_activation": "tanh"},
    {"summary_type": "mean"},
    {"type_vocab_size": ...},
    # Keys and aliases of DistilBERT, which other models ignore.
    {"activation": "relu"},
    {"activation": "silu"},
    {"n_heads": 2},
    {"n_heads": 3, "num_attention_heads": 2},
    {"sinusoidal_pos_embds": True},
    {"sinusoidal_pos_embds": 1},
    {"dropout": 0.5, "attention_dropout": 0.5, "seq_classif_dropout": 0.5},
    {"hidden_dim": ...},
    # Keys of DeBERTa, which other models ignore.
    {"relative_attention": False},
    {"relative_attention": None},
    {"pos_att_type": "c2p|p2c"},
    {"pos_att_type": ["c2p"]},
    {"pos_att_type": "p2c", "share_att_key": True},
    {"pos_att_type": ["p2p", "c2p"]},
    {"pos_att_type": None},
    {"position_buckets": ...},
    {"position_buckets": -1, "max_relative_positions": 16},
    {"position_buckets": 16, "max_relative_positions": 12},
    {"position_buckets": 5},
    {"max_relative_positions": 20},
    {"norm_rel_ebd": "none"},
    {"norm_rel_ebd": "layer_norm | none"},
    {"conv_kernel_size": 3},
    {"conv_kernel_size": 0},
    {"pooler_hidden_act": "tanh"},
    {"pooler_hidden_act": "silu"},
    {"pooler_dropout": 0.5, "cls_dropout": 0.5},
    {"cls_dropout": None, "attention_head_size": 8},
    {"attention_head_size": 6},
]
# What transformers cannot compute though it could: RoBERTa's positions without a padding id, which
# the program takes to be the default.
UNCOMPUTED = [
    ("roberta", ("pad_token_id", None)),
    ("xlm-roberta", ("pad_token_id", None)),
]


def python_logits(folder, texts):
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
        if any(report[keys] for keys in ["missing_keys", "mismatched_keys"]):
            return None, "parameters were initialized"
        limit = longest_text(model.config, tokenizer)
        logits = []
        for text in texts:
            batch = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
            with torch.no_grad():
                logits.append(model.eval()(**batch).logits[0].tolist())
        return logits, ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None, f"{type(error).__name__}: {error}"


def configurations(program, workdir, texts):
    equal = refused = 0
    largest = 0.0
    unsupported = set()
    for model_type, config_class in CONFIGS.items():
        write, _, options = KINDS[TOKENIZER_OF[model_type]]
        home = fresh(workdir / model_type)
        write(home, texts)
        write_json(home / "tokenizer_config.json", {**options, "model_max_length": 30})
        size = len(AutoTokenizer.from_pretrained(home))
        extra = {"embedding_size": 12} if model_type == "electra" else {}
        if model_type == "roberta":
            extra = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
        if model_type == "deberta-v2":
            extra = {
                "relative_attention": True,
                "pos_att_type": ["p2c", "c2p"],
                "position_buckets": 16,
                "share_att_key": True,
                "norm_rel_ebd": "layer_norm",
                "position_biased_input": False,
            }
        if model_type == "distilbert":
            extra = {"hidden_dim": SMALL["intermediate_size"]}
        config = config_class(**SMALL, **extra, vocab_size=size)
        model = widen(AutoModelForSequenceClassification.from_config(config), 7, 0.2)
        model.save_pretrained(home)
        saved = json.loads((home / "config.json").read_text(encoding="utf-8"))
        for changes in ODDITIES:
            write_json(home / "config.json", apply(saved, changes))
            where = f"{model_type} with {changes}"
            some = texts if not changes else texts[:TEXTS_PER_CONFIG]
            theirs, refusal = python_logits(home, some)
            lines, errors = start(
                [program, "predict", "--json", "--model-name-or-path", home], some
            )
            if lines is None:
                check(errors.startswith(("error:", "note:", "warning:")), f"{where}: {errors!r}")
                refused += 1
                if theirs is not None:
                    # A value that changes the computation is computed, or refused by its name.
                    named = [name for name in changes if name in errors]
                    check(named, f"{where}: the refusal names no key: {errors!r}")
                    unsupported.add(f"{named[0]}={changes[named[0]]}")
            else:
                if theirs is None and (model_type, *changes.items()) in UNCOMPUTED:
                    continue
                check(theirs is not None, f"{where}: transformers refuses: {refusal}")
                ours = [line["logits"] for line in lines]
                check(len(ours) == len(theirs), f"{where}: {len(ours)} of {len(theirs)} texts")
                worst = max(float(np.abs(np.subtract(a, b)).max()) for a, b in zip(ours, theirs))
                check(worst <= TOLERANCE, f"{where}: the logits differ by {worst}")
                largest = max(largest, worst)
                equal += 1
    ok(
        f"{equal} configurations give the logits of transformers within {largest:.0e}, {refused} "
        f"are refused; of those transformers computes {sorted(unsupported)}"
    )


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=Path, help="the built nsmc-tui")
    parser.add_argument("workdir", type=Path, help="where models are written")
    parser.add_argument("--seed", type=int, default=17, help="of the texts")
    args = parser.parse_args()
    torch.set_num_threads(1)
    program = args.program.resolve()
    check(program.is_file(), f"{program}: no such program")
    texts = random_texts(random.Random(args.seed), TEXTS)
    workdir = args.workdir.resolve()
    tokenizers(program, workdir, texts)
    configurations(program, workdir, texts)


if __name__ == "__main__":
    main(run)
