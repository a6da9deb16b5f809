"""Checks that models are exchanged between the program and the transformers package: the program
loads what Python saved, and Python loads, runs and trains further what the program trained.

Needs the packages of requirements.txt, and for the last step `accelerate`; no network, no GPU, a
few minutes. Usage:

    python tests/python/two_way.py PROGRAM WORKDIR [--only MODEL] [--steps read|all]

PROGRAM is the built `nsmc-tui`; WORKDIR is a folder for models and runs, which are overwritten.
Each passed check prints a line `ok: …`; the first failed one ends the script.
"""

import argparse
import contextlib
import copy
import importlib.util
import io
import itertools
import json
import math
import shutil
from collections import Counter
from pathlib import Path

from support import REFERENCE, Failed, answers, call, check, compare, difference, load, main, ok
from support import predicted, widen

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DebertaV2Tokenizer,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaTokenizer,
)
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import get_last_checkpoint

TOLERANCE = 1e-5
NAMES = ["부정", "중립", "긍정"]
ROWS = [
    ("정말 재미있는 영화였어요", "긍정"),
    ("배우들의 연기가 훌륭했다", "긍정"),
    ("다시 보고 싶은 최고의 작품", "긍정"),
    ("OST도 좋고 감동적이에요!", "긍정"),
    ("올해 본 영화 중 가장 좋았음", "긍정"),
    ("웃다가 울다가 시간 가는 줄 몰랐네", "긍정"),
    ("강력 추천합니다", "긍정"),
    ("지루해서 중간에 잠들었다", "부정"),
    ("시간이 아까운 최악의 영화", "부정"),
    ("돈이 아깝다...", "부정"),
    ("연기도 별로 내용도 별로", "부정"),
    ("기대했는데 실망이 너무 크다", "부정"),
    ("왜 만들었는지 모르겠음", "부정"),
    ("두 번은 못 보겠다", "부정"),
    ("그냥 그래요", "중립"),
    ("나쁘지도 좋지도 않았다", "중립"),
    ("평범한 가족 영화", "중립"),
    ("볼 사람은 보고 말 사람은 말고", "중립"),
    ("기대만큼은 아니지만 볼 만함", "중립"),
    ("반은 좋고 반은 지루했다", "중립"),
]
TEST_ROWS = [
    ("정말 최고의 감동", "긍정"),
    ("너무 지루했다", "부정"),
    ("그냥 평범했다", "중립"),
    ("연기가 정말 좋았어요", "긍정"),
    ("최악의 연기", "부정"),
    ("볼 만한 가족 영화", "중립"),
    ("추천하고 싶은 작품", "긍정"),
]
# Short and long, with known and unknown words and capitals, and one that is truncated.
SENTENCES = [
    "정말 재미있는 영화였어요",
    "지루해서 중간에 잠들었다...",
    "그냥 그래요",
    "뷁 봤는데 OST가 OK, 최고!",
    "좋다",
    "시간 가는 줄 몰랐네 " * 8,
]
TAGS = (
    "train/loss train/learning_rate train/grad_norm train/epoch train/train_loss "
    "train/train_runtime train/total_flos eval/loss eval/accuracy eval/f1 eval/runtime "
    "eval/samples_per_second eval/steps_per_second"
).split()
LOG_KEYS = {"epoch", "grad_norm", "learning_rate", "loss", "step"}

SMALL = {
    "num_hidden_layers": 2,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 48,
    "id2label": dict(enumerate(NAMES)),
    "label2id": {name: i for i, name in enumerate(NAMES)},
}
# The special tokens in the order of BERT's usual vocabularies and of klue's RoBERTa.
BERT_ORDER = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
KLUE_ORDER = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
# The formats that models are shared in, and their number types.
FORMS = {
    "one file": torch.float32,
    "shards": torch.float32,
    "vocab.txt": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def bert(vocab_size):
    return BertForSequenceClassification(
        BertConfig(**SMALL, vocab_size=vocab_size, max_position_embeddings=40)
    )


def roberta(vocab_size):
    config = RobertaConfig(
        **SMALL,
        vocab_size=vocab_size,
        max_position_embeddings=42,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    return RobertaForSequenceClassification(config)


def electra(vocab_size):
    config = ElectraConfig(
        **SMALL, vocab_size=vocab_size, embedding_size=12, max_position_embeddings=40
    )
    return ElectraForSequenceClassification(config)


def xlm_roberta(vocab_size):
    config = XLMRobertaConfig(
        **SMALL, vocab_size=vocab_size, max_position_embeddings=42, type_vocab_size=1
    )
    return XLMRobertaForSequenceClassification(config)


def distilbert(vocab_size):
    config = DistilBertConfig(
        vocab_size=vocab_size,
        max_position_embeddings=40,
        n_layers=2,
        dim=24,
        n_heads=3,
        hidden_dim=48,
        id2label=SMALL["id2label"],
        label2id=SMALL["label2id"],
    )
    return DistilBertForSequenceClassification(config)


def deberta(vocab_size):
    """Like kakaobank/kf-deberta-base, with few buckets."""
    return DebertaV2ForSequenceClassification(
        DebertaV2Config(
            **SMALL,
            vocab_size=vocab_size,
            max_position_embeddings=40,
            relative_attention=True,
            position_buckets=16,
            pos_att_type=["p2c", "c2p"],
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            position_biased_input=False,
        )
    )


# Each model and its special tokens; without them, its tokenizer is one of SentencePiece.
MODELS = {
    "bert": (bert, BERT_ORDER),
    "roberta": (roberta, KLUE_ORDER),
    "xlm-roberta": (xlm_roberta, None),
    "electra": (electra, BERT_ORDER),
    "distilbert": (distilbert, BERT_ORDER),
    "deberta-v2": (deberta, None),
}


def characters():
    return sorted({c for text, _ in ROWS + TEST_ROWS for c in text if not c.isspace()})


def vocabulary(special):
    """Each character of the samples, at the beginning of a word and as its continuation."""
    return special + characters() + [f"##{c}" for c in characters()]


def unigram(architecture):
    """The tokenizer of XLM-RoBERTa or DeBERTa with the characters and some of the words of the
    samples."""
    words = sorted({f"▁{word}" for text, _ in ROWS for word in text.split()})[::3]
    pieces = ["▁", *characters(), *words]
    special = [(token, 0.0) for token in ["<s>", "<pad>", "</s>", "<unk>"]]
    scored = [(piece, -3.0 - i % 7) for i, piece in enumerate(pieces)]
    if architecture == "deberta-v2":
        special = [(token, 0.0) for token in ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]]
        return DebertaV2Tokenizer(vocab=[*special, *scored, ("[MASK]", 0.0)])
    return XLMRobertaTokenizer(vocab=[*special, *scored, ("<mask>", 0.0)])


def fine_tune(model, tokenizer, steps=2):
    """A few steps of a hand-written PyTorch loop, with dropout."""
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batch = tokenizer([text for text, _ in ROWS[::3]], padding=True, return_tensors="pt")
    labels = torch.tensor([NAMES.index(name) for _, name in ROWS[::3]])
    model.train()
    for _ in range(steps):
        loss = model(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# --- from Python to the program ------------------------------------------------------------------


def save(model, tokenizer, vocab, folder, form):
    """Saves the model in one of `FORMS`."""
    fresh(folder)
    model = copy.deepcopy(model).to(FORMS[form])
    model.save_pretrained(folder, max_shard_size="20KB" if form == "shards" else "1GB")
    tokenizer.save_pretrained(folder)
    if form == "vocab.txt":
        (folder / "tokenizer.json").unlink()
        (folder / "vocab.txt").write_text("".join(f"{v}\n" for v in vocab), encoding="utf-8")
    index = folder / "model.safetensors.index.json"
    check(index.is_file() == (form == "shards"), f"{folder}: not saved as {form}")


def read(program, architecture, folder):
    """All formats of a model fine-tuned by Python; returns the folder of the single file."""
    make, special = MODELS[architecture]
    if special is None:
        vocab, tokenizer = None, unigram(architecture)
    else:
        vocab = vocabulary(special)
        tokenizer = BertTokenizer({v: i for i, v in enumerate(vocab)}, do_lower_case=False)
    torch.manual_seed(1)
    model = fine_tune(widen(make(len(tokenizer)), seed=1), tokenizer)
    before = answers(model, tokenizer, SENTENCES)
    check(any(answer["truncated"] for answer in before), "no sentence is truncated")
    for form, dtype in FORMS.items():
        if vocab is None and form == "vocab.txt":
            continue
        where = folder / form.replace(" ", "_").replace(".", "_")
        save(model, tokenizer, vocab, where, form)
        theirs = answers(*load(where), SENTENCES)
        lost = difference(before, theirs)
        # Sixteen bits round the weights; otherwise the logits do not change.
        check(
            lost <= (TOLERANCE if dtype == torch.float32 else 0.1),
            f"{where}: saving as {form} changed the logits of transformers by {lost}",
        )
        most = compare(where, predicted(program, where, SENTENCES), theirs, TOLERANCE)
        ok(f"{architecture}, saved by Python as {form}: the program's logits within {most:.1e}")
    return folder / "one_file"


# --- from the program to Python ------------------------------------------------------------------


def write_rows(file, rows):
    lines = [f"{i}\t{text}\t{label}\n" for i, (text, label) in enumerate(rows)]
    file.write_text("id\tdocument\tlabel\n" + "".join(lines), encoding="utf-8")


def train(program, start, folder):
    """Trains from the folder `start`; returns the output folder and the logging folder."""
    fresh(folder)
    write_rows(folder / "train.tsv", ROWS)
    write_rows(folder / "test.tsv", TEST_ROWS)
    out, logs = folder / "out", folder / "logs"
    flags = {
        "--model-name-or-path": start,
        "--train-file": folder / "train.tsv",
        "--validation-file": folder / "test.tsv",
        "--output-dir": out,
        "--num-train-epochs": 2,
        "--per-device-train-batch-size": 4,
        "--save-steps": 3,
        "--logging-steps": 2,
        "--save-total-limit": 2,
        "--report-to": "tensorboard",
        "--logging-dir": logs,
    }
    call([program, "train", "--plain", *(part for flag in flags.items() for part in flag)])
    return out, logs


def checkpoints(out):
    found = {int(path.name.split("-")[1]): path for path in out.glob("checkpoint-*")}
    return [found[step] for step in sorted(found)]


def loads_in_python(program, architecture, start, out):
    """Transformers loads the output folder and each checkpoint, with the same predictions as the
    program."""
    before = answers(*load(start), SENTENCES)
    for folder in [*checkpoints(out), out]:
        model, tokenizer = load(folder)
        names = [model.config.id2label[i] for i in range(model.config.num_labels)]
        check(names == NAMES, f"{folder}: the classes are {names}")
        check(
            type(model).__name__.lower().startswith(architecture.replace("-", "")),
            f"{folder}: loaded as {type(model).__name__}",
        )
        theirs = answers(model, tokenizer, SENTENCES)
        most = compare(folder, predicted(program, folder, SENTENCES), theirs, TOLERANCE)
        changed = difference(before, theirs) > TOLERANCE
        check(changed, f"{folder}: training did not change the logits")
        ok(
            f"{architecture}, trained by the program: Python loads {folder.relative_to(out.parent)}"
            f" with no missing, unexpected or mismatched key; logits within {most:.1e}"
        )


def state_in_python(architecture, out):
    """trainer_state.json has the Trainer's format, and the newest checkpoint is found."""
    folders = checkpoints(out)
    steps = [int(folder.name.split("-")[1]) for folder in folders]
    check(
        1 <= len(folders) <= 2, f"{out}: --save-total-limit 2 left the checkpoints of steps {steps}"
    )
    reference = REFERENCE / "hf_trainer" / "trainer_state.json"
    keys = json.loads(reference.read_text(encoding="utf-8")).keys() if reference.is_file() else None
    for step, folder in zip(steps, folders):
        file = folder / "trainer_state.json"
        check(file.is_file(), f"{file} is missing")
        try:
            state = TrainerState.load_from_json(file)
        except TypeError as error:
            raise Failed(f"{file}: transformers' TrainerState rejects it: {error}") from error
        check(state.global_step == step, f"{file}: global_step is {state.global_step}")
        check(
            all(entry["step"] <= step for entry in state.log_history),
            f"{file}: log_history has entries after step {step}",
        )
        logged = [entry for entry in state.log_history if "loss" in entry]
        check(
            logged and all(entry.keys() == LOG_KEYS for entry in logged),
            f"{file}: a log entry of the Trainer has {sorted(LOG_KEYS)}; found {logged[:1]}",
        )
        if keys is not None:
            ours = json.loads(file.read_text(encoding="utf-8")).keys()
            check(ours == keys, f"{file}: {sorted(ours ^ keys)} is only in it or in {reference}")
    same = "no reference to compare its keys with" if keys is None else "its keys are the Trainer's"
    ok(f"{architecture}: trainer_state.json loads as TrainerState at steps {steps}; {same}")
    newest = get_last_checkpoint(str(out))
    check(
        newest is not None and Path(newest) == folders[-1],
        f"{out}: get_last_checkpoint finds {newest}, the newest is {folders[-1]}",
    )
    ok(f"{architecture}: get_last_checkpoint finds {Path(newest).name}")


def logs_in_tensorboard(architecture, out, logs, runs=1):
    """TensorBoard reads the same values from the event files as log_history has, in float32."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    files = list(logs.rglob("*tfevents*"))
    check(len(files) == runs, f"{logs}: expected {runs} event files, found {len(files)}")
    reader = EventAccumulator(str(files[0].parent), size_guidance={"scalars": 0})
    reader.Reload()
    found = reader.Tags()["scalars"]
    missing = [tag for tag in TAGS if tag not in found]
    check(not missing, f"{files[0]}: TensorBoard does not find {', '.join(missing)}, only {found}")

    state = json.loads((out / "trainer_state.json").read_text(encoding="utf-8"))
    expected = {}
    for entry in state["log_history"]:
        for key, value in entry.items():
            if key != "step":
                name = f"eval/{key[5:]}" if key.startswith("eval_") else f"train/{key}"
                expected.setdefault(name, []).append((entry["step"], value))
    check(
        set(found) == set(expected),
        f"{sorted(set(found) ^ set(expected))} is in only one of {files[0]} and log_history",
    )
    for tag, values in expected.items():
        events = [(event.step, event.value) for event in reader.Scalars(tag)]
        same = len(events) == len(values) and all(
            step == s and math.isclose(value, v, rel_tol=1e-6, abs_tol=1e-12)
            for (step, value), (s, v) in zip(sorted(events), sorted(values))
        )
        check(same, f"{tag}: TensorBoard reads {events}, log_history has {values}")
    count = sum(map(len, expected.values()))
    where = "" if runs == 1 else ", after resuming too"
    what = f"{len(found)} tags, {count} values, as in log_history{where}"
    ok(f"{architecture}: TensorBoard reads {what}")


def card_in_python(architecture, out):
    """The model card's front matter has the metrics of the last evaluation."""
    from huggingface_hub import ModelCard

    state = json.loads((out / "trainer_state.json").read_text(encoding="utf-8"))
    evaluations = [entry for entry in state["log_history"] if "eval_accuracy" in entry]
    check(evaluations, f"{out}: trainer_state.json has no evaluation")
    try:
        card = ModelCard.load(out / "README.md")
    except Exception as error:
        raise Failed(f"{out}/README.md: huggingface_hub cannot read it: {error}") from error
    results = {result.metric_type: result.metric_value for result in card.data.eval_results or []}
    for metric in ["accuracy", "f1"]:
        last = evaluations[-1][f"eval_{metric}"]
        check(
            metric in results and abs(float(results[metric]) - last) < 0.5001e-4,
            f"{out}/README.md: {metric} is {results.get(metric)}, of the last evaluation {last}",
        )
    ok(f"{architecture}: huggingface_hub reads the model card: {results}")


def resume_in_python(architecture, out, folder):
    """transformers' Trainer resumes from the program's oldest checkpoint."""
    if importlib.util.find_spec("accelerate") is None:
        print(f"skipped: {architecture}: resuming in Python needs the package accelerate")
        return
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    checkpoint = checkpoints(out)[0]
    start = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    model, tokenizer = load(checkpoint)
    rows = [{**tokenizer(text), "labels": NAMES.index(label)} for text, label in ROWS]
    arguments = TrainingArguments(
        output_dir=str(fresh(folder)),
        num_train_epochs=3,
        per_device_train_batch_size=4,
        logging_steps=2,
        save_steps=3,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train(resume_from_checkpoint=str(checkpoint))
    state = trainer.state
    check(
        state.global_step == 15
        and state.log_history[: len(start["log_history"])] == start["log_history"],
        f"{checkpoint}: resumed to step {state.global_step} with {state.log_history}",
    )
    new = [entry for entry in state.log_history[len(start["log_history"]) :] if "loss" in entry]
    check(new and all(math.isfinite(entry["loss"]) for entry in new), f"{checkpoint}: {new}")
    steps = f"from step {start['global_step']} to {state.global_step}"
    ok(f"{architecture}: Python's Trainer resumes from the program's checkpoint, {steps}")


def tokenizers(program, folder):
    """vocab.txt with every combination of the flags of tokenizer_config.json, and tokenizer.json
    with them in conflict."""
    texts = ["Ab abc ÀÉ résumé 한국어 漢字 HANGUL", "정말 재미있는 영화였어요!", "각 각 ＡＢ"]
    pieces = sorted({c for text in texts for c in text + text.lower() if c != " "} | set("ae"))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = special + pieces + ["##" + piece for piece in pieces]
    compared = 0
    for lower, strip, chinese in itertools.product([None, True, False], repeat=3):
        flags = {"do_lower_case": lower, "strip_accents": strip, "tokenize_chinese_chars": chinese}
        flags = {name: value for name, value in flags.items() if value is not None}
        for form in ["vocab.txt", "tokenizer.json"]:
            home = fresh(folder / f"{compared}")
            (home / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
            if form == "tokenizer.json":
                # tokenizer_config.json overrides tokenizer.json in transformers.
                BertTokenizer(str(home / "vocab.txt"), do_lower_case=False).save_pretrained(home)
                (home / "vocab.txt").unlink(missing_ok=True)
                flags.setdefault("do_lower_case", False)
            config = {"tokenizer_class": "BertTokenizer", **flags}
            (home / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
            theirs = [AutoTokenizer.from_pretrained(home)(text)["input_ids"] for text in texts]
            command = [program, "tokenize", "--json", "--model-name-or-path", home, "--", *texts]
            ours = [json.loads(line)["ids"] for line in call(command).splitlines()]
            check(ours == theirs, f"{form} with {flags}: the program {ours}, transformers {theirs}")
            compared += 1
    ok(f"{compared} tokenizers with all settings give the tokens of transformers")


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=Path, help="the built nsmc-tui")
    parser.add_argument("workdir", type=Path, help="where models and runs are written")
    parser.add_argument("--only", choices=MODELS, help="only this architecture")
    parser.add_argument(
        "--steps",
        choices=["read", "all"],
        default="all",
        help="read: only from Python to the program",
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    program = args.program.resolve()
    check(program.is_file(), f"{program}: no such program")
    tokenizers(program, args.workdir.resolve() / "tokenizers")
    for architecture in MODELS if args.only is None else [args.only]:
        folder = args.workdir.resolve() / architecture
        start = read(program, architecture, folder / "python")
        if args.steps == "read":
            continue
        out, logs = train(program, start, folder / "trained")
        loads_in_python(program, architecture, start, out)
        state_in_python(architecture, out)
        logs_in_tensorboard(architecture, out, logs)
        card_in_python(architecture, out)
        resume_in_python(architecture, out, folder / "resumed")
        # A folder outside of the run's own is named again.
        resume = ["--resume-from-checkpoint", checkpoints(out)[0], "--logging-dir", logs]
        call([program, "train", "--plain", *resume])
        logs_in_tensorboard(architecture, out, logs, runs=2)


if __name__ == "__main__":
    main(run)
