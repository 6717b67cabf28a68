"""Tiny base models and a tiny cohort, made on the spot: enough of each for the teacher to be trained in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaModel,
)

from leader_core.domain import Case, Fingerprint, Kind, Visit
from leader_core.interactions import DrugShares, typical_shares
from leader_core.prompt_templates import LEADER, PAPER
from leader_core.teacher.config import TeacherConfig
from train.config import TeacherTraining
from train.console import Report
from train.teacher.run import train_teacher

DIAGNOSES: Final = {
    "ICD9:4280": "heart failure",
    "ICD9:4019": "hypertension",
    "ICD9:25000": "diabetes",
    "ICD9:486": "pneumonia",
    "ICD9:5849": "kidney failure",
}
MEDICATIONS: Final = {
    "A10A": "insulins",
    "B05X": "electrolytes",
    "C03C": "diuretics",
    "C09A": "ace inhibitors",
    "J01C": "penicillins",
}
PROCEDURES: Final = {"ICD9PCS:3961": "bypass"}
_TREATS: Final = dict(zip(DIAGNOSES, ("C03C", "C09A", "A10A", "J01C", "B05X"), strict=True))


def title(kind: Kind, code: str) -> str | None:
    """Titles of the tiny cohort's codes."""
    return {"diagnosis": DIAGNOSES, "procedure": PROCEDURES, "medication": MEDICATIONS}[kind].get(code)


class TinyCohort:
    """What the teacher's training asks of a cohort. Each diagnosis has its own medication."""

    profile_fields = ("insurance",)
    title = staticmethod(title)

    def __init__(self, patients: int = 60, seed: int = 0) -> None:
        random = Random(seed)
        self._cases: dict[str, list[Case]] = {"train": [], "validation": [], "test": []}
        visit_id = 0
        for patient in range(patients):
            visits: list[Visit] = []
            for number in range(random.choice((1, 1, 2, 3))):
                visit_id += 1
                diagnoses = random.sample(sorted(DIAGNOSES), random.randint(1, 3))
                medications = tuple(sorted({_TREATS[code] for code in diagnoses}))
                procedures = ("ICD9PCS:3961",) if random.random() < 0.3 else ()
                visits.append(Visit(tuple(diagnoses), procedures, medications, visit_id, number + 1))
            split = ("train",) * 8 + ("validation", "test")
            for number, visit in enumerate(visits):
                case = Case({"insurance": "Private"}, tuple(visits[:number]), visit, patient)
                self._cases[split[patient % 10]].append(case)
        digest = f"tiny-{patients}-{seed}"
        self.fingerprint = Fingerprint(
            "Tiny", "mimic3", True, "clinical", 3, patients, visit_id, 0, 5, 1, 5, 0.0, digest
        )

    def cases(self, split: str = "all", targets: str = "last") -> list[Case]:
        result = [case for name, cases in self._cases.items() if split in ("all", name) for case in cases]
        if targets == "last":
            result = list({case.patient_id: case for case in result}.values())
        return result

    def drug_shares(self) -> DrugShares:
        return typical_shares(3)

    def vocabulary_codes(self, kind: Kind, split: str = "train") -> list[str]:
        return sorted({code for case in self.cases(split, "all") for code in case.current.codes(kind)})

    def profile_values(self, field: str) -> list[str]:
        return ["Private"]


def tokenizer_words() -> list[str]:
    """Every word that a prompt of the tiny cohort may hold."""
    texts = [*DIAGNOSES.values(), *MEDICATIONS.values(), *PROCEDURES.values()]
    texts += [
        part
        for t in (LEADER, PAPER)
        for part in (*t.openings, t.history, t.current, t.question, t.empty, t.truncated)
    ]
    split = pre_tokenizers.Whitespace()
    return sorted(
        {word.lower() for text in texts for word, _ in split.pre_tokenize_str(text)} | set("0123456789")
    )


def save_tokenizer(folder: Path, *, bos: bool | None, pad: bool, left: bool = False) -> int:
    """Write a word-level tokenizer; with BOS, with CLS and SEP, or (None) neither. Returns the vocabulary's size."""
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "<s>", "</s>", *tokenizer_words()]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    around = ("<s> $A", [("<s>", 4)]) if bos else ("[CLS] $A [SEP]", [("[CLS]", 1), ("[SEP]", 2)])
    if bos is None:
        around = ("$A", [])
    tokenizer.post_processor = processors.TemplateProcessing(single=around[0], special_tokens=around[1])
    tokenizer.enable_truncation(8)  # some published tokenizers carry such a limit; it must not be obeyed
    names = {"unk_token": "[UNK]", "eos_token": "</s>", **({"pad_token": "[PAD]"} if pad else {})}
    side = {"padding_side": "left"} if left else {}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names, **side).save_pretrained(folder)
    return len(words)


_SHAPE: Final = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "initializer_range": 0.3,
}  # fmt: skip


def tiny_bert(folder: Path) -> Path:
    """A random two-layer BERT with its tokenizer; positions for 96 tokens."""
    return _save(folder, BertModel, BertConfig, bos=False, pad=True, max_position_embeddings=96)


def tiny_llama(folder: Path) -> Path:
    """A random two-layer Llama with its tokenizer, which has no padding token."""
    shape = {"num_key_value_heads": 1, "max_position_embeddings": 256, "pad_token_id": None}
    return _save(folder, LlamaForCausalLM, LlamaConfig, bos=True, pad=False, **shape)


def tiny_qwen(folder: Path) -> Path:
    """A random two-layer Qwen3; its tokenizer pads on the left and adds no special token."""
    shape = {"num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 256, "pad_token_id": 3}
    return _save(folder, Qwen3ForCausalLM, Qwen3Config, bos=None, pad=True, left=True, **shape)


def tiny_roberta(folder: Path) -> Path:
    """A random two-layer RoBERTa, whose positions begin after the padding id."""
    shape = {"max_position_embeddings": 100, "pad_token_id": 3}
    return _save(folder, RobertaModel, RobertaConfig, bos=False, pad=True, **shape)


def _save(
    folder: Path, model: Any, config: Any, *, bos: bool | None, pad: bool, left: bool = False, **shape: Any
) -> Path:
    torch.manual_seed(0)
    size = save_tokenizer(folder, bos=bos, pad=pad, left=left)
    model(config(vocab_size=size, **_SHAPE, **shape)).save_pretrained(folder)
    return folder


def quickly_trained(out: Path, config: TeacherConfig, training: TeacherTraining, cohort: Any) -> Path:
    """A teacher of a few steps in a folder; gives the folder."""
    silent = Report(quiet=True)
    train_teacher(cohort, out, config, training, preset="default", seed=1, device="cpu", report=silent)
    return out


TINY: Final = {"bert": tiny_bert, "llama": tiny_llama, "qwen": tiny_qwen, "roberta": tiny_roberta}


def without_medications(case: Case) -> Case:
    """The case with other current medications: what no model may notice."""
    return replace(case, profile=dict(case.profile), current=replace(case.current, medications=("J01C",)))
