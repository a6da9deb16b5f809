"""One run of transformers' Trainer in a separate process, started by `job.py`. Its argument is the
task as a JSON object; it writes the result to a file.
"""

import time

STARTED = time.perf_counter()

import json
import sys
from pathlib import Path
from typing import Any

import numpy
import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
    set_seed,
)

import samples

IMPORTED = time.perf_counter()

# The settings that the Trainer has under the same names.
SETTINGS = [
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "label_smoothing_factor",
    "eval_strategy",
    "eval_steps",
    "logging_steps",
    "save_strategy",
    "save_steps",
    "save_total_limit",
    "save_only_model",
    "load_best_model_at_end",
    "report_to",
    "seed",
    "data_seed",
]


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenized samples: tensors of one length, as in the tutorial, or lists."""

    def __init__(
        self,
        found: list[samples.Sample],
        tokenizer: PreTrainedTokenizerFast,
        fixed: bool,
        max_length: int,
    ) -> None:
        self.labels = [sample.label for sample in found]
        self.encoded = tokenizer(
            [sample.text for sample in found],
            padding=fixed,
            truncation=True,
            max_length=max_length,
            return_tensors="pt" if fixed else None,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = {name: values[index] for name, values in self.encoded.items()}
        return {**row, "labels": self.labels[index]}


class Count(TrainerCallback):
    """Counts evaluations and checkpoints."""

    evaluations = 0
    checkpoints = 0

    def on_evaluate(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.evaluations += 1

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.checkpoints += 1


def metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Accuracy, and F1 of class 1."""
    predicted = numpy.argmax(prediction.predictions, axis=-1)
    true = prediction.label_ids
    hits = int(((predicted == 1) & (true == 1)).sum())
    total = int((predicted == 1).sum() + (true == 1).sum())
    return {
        "accuracy": float((predicted == true).mean()),
        "f1": 2 * hits / total if total else 0.0,
    }


def tokenizer_of(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a tokenizer.json."""
    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def model_of(folder: Path) -> Any:
    if (folder / "model.safetensors").is_file():
        return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    config = AutoConfig.from_pretrained(folder, num_labels=2)
    return AutoModelForSequenceClassification.from_config(config)


def work(task: dict[str, Any]) -> dict[str, Any]:
    torch.set_num_threads(task["threads"])
    settings, folder = task["settings"], Path(task["model"])
    fixed = task["padding"] == "fixed"

    begun = time.perf_counter()
    tokenizer = tokenizer_of(folder)
    length = settings["max_seq_length"]
    found = {
        "train": samples.load("train", settings["max_train_samples"]),
        "test": samples.load("test", settings["max_eval_samples"]),
    }
    rows = {name: Rows(split, tokenizer, fixed, length) for name, split in found.items()}
    texts = [sample.text for sample in found["train"][: task["show"]]]
    shown = tokenizer(texts, truncation=True, max_length=length)["input_ids"]

    made = time.perf_counter()
    set_seed(settings["seed"])
    model = model_of(folder)
    arguments = TrainingArguments(
        output_dir=task["output_dir"],
        train_sampling_strategy="random" if fixed else "group_by_length",
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **{name: settings[name] for name in SETTINGS if name in settings},
    )
    count = Count()
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows["train"],
        eval_dataset=rows["test"],
        data_collator=default_data_collator if fixed else DataCollatorWithPadding(tokenizer),
        compute_metrics=metrics,
        callbacks=[count],
    )
    ready = time.perf_counter()
    output = trainer.train()
    trained = time.perf_counter()
    trainer.save_model()
    tokenizer.save_pretrained(task["output_dir"])
    saved = time.perf_counter()

    evaluations = [entry for entry in trainer.state.log_history if "eval_accuracy" in entry]
    last = evaluations[-1] if evaluations else trainer.evaluate()
    return {
        "seconds": saved - made,
        "seconds_of": {
            "imports, not counted": IMPORTED - STARTED,
            "reading and tokenizing, not counted": made - begun,
            "model and Trainer": ready - made,
            "train()": trained - ready,
            "saving": saved - trained,
        },
        "steps": output.global_step,
        "evaluations": count.evaluations,
        "checkpoints": count.checkpoints,
        "train_loss": output.training_loss,
        "accuracy": last["eval_accuracy"],
        "f1": last["eval_f1"],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "ids": {name: [sample.id for sample in split] for name, split in found.items()},
        "shown_texts": texts,
        "shown_tokens": shown,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "processor_instructions": torch.backends.cpu.get_cpu_capability(),
        },
    }


def main() -> None:
    task = json.loads(sys.argv[1])
    result = work(task)
    Path(task["result"]).write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
