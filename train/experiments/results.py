"""The demo's evaluation as Markdown: `RESULTS.md` next to `evaluation.json`, and the README's table.

Nothing is computed here. No sentence claims more than an interval or a p-value says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.files import write_text
from leader_core.outputs import RESULTS_PAGE
from train.experiments.results_tables import (
    Entry,
    calibration_table,
    codes_table,
    compared,
    differences_table,
    faithful_table,
    groups_table,
    interval,
    is_calibrated,
    main_table,
    parts_table,
    returning_table,
    signed,
    table,
    turned,
    value,
)

TEMPLATE: Final = Path(__file__).with_name("results_template.md")
NAME: Final = "RESULTS.md"
BEGIN: Final = "<!-- demo-results:begin -->"
END: Final = "<!-- demo-results:end -->"
LEVEL: Final = 0.05
SUMMARY: Final = (
    "teacher",
    "student",
    "student-undistilled",
    "logistic",
    "retain",
    "repeat",
    "popularity",
    "oracle",
)
"""Rows of the README's table."""
FOLD_METRICS: Final = (("prauc", "PRAUC"), ("jaccard", "Jaccard"), ("f1", "F1"), ("ddi_rate", "DDI rate"))


def read_evaluation(path: Path) -> dict[str, Any]:
    """An `evaluation.json`.

    Raises:
        InputError: it is missing or not JSON.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as an evaluation ({error}). Make it: python -m train demo --models."
        ) from error


def write_results(assets: Path, readme: Path | None = None) -> Path:
    """Write `assets/demo/RESULTS.md` from `assets/evaluation.json`, and the README's table where it has the two markers.

    Raises:
        InputError: the evaluation cannot be read.
    """
    evaluation = read_evaluation(assets / "evaluation.json")
    write_text(assets / NAME, markdown(evaluation), RESULTS_PAGE)
    if readme is not None:
        page = readme.read_text(encoding="utf-8")
        block = f"{BEGIN}\n{summary(evaluation)}\n{END}"
        pattern = f"{re.escape(BEGIN)}.*?{re.escape(END)}"
        write_text(readme, re.sub(pattern, lambda _: block, page, flags=re.DOTALL))
    return assets / NAME


def markdown(evaluation: Entry) -> str:
    """The whole of `RESULTS.md`."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(tables=tables(evaluation), further=further_tables(evaluation))


def tables(evaluation: Entry) -> str:
    """Every table and the verdicts below them."""
    parts = [text for result in evaluation["cohorts"].values() for text in _cohort(result, evaluation)]
    if evaluation.get("real-data"):
        parts += _folds(evaluation["real-data"])
    return "\n\n".join(parts)


def summary(evaluation: Entry) -> str:
    """PRAUC of the main rows on every cohort, and the reference against two baselines, for the README."""
    cohorts = [each for each in evaluation["cohorts"].values() if each.get("targets") != "all"]
    titles = [result.get("title", result["cohort"]["label"]) for result in cohorts]
    rows = []
    for name in SUMMARY:
        entries = [result["models"].get(name) for result in cohorts]
        if entries[0] is None:
            continue  # not measured with these models
        cells = [value(entry["groups"]["overall"]["prauc"], 3) if entry else "–" for entry in entries]
        rows.append([entries[0]["label"], *cells])
    parts = [table(["PRAUC", *titles], rows)]
    for row, group, metric, words in (
        ("logistic", "overall", "prauc", "PRAUC against logistic regression"),
        (
            "repeat",
            "multi-visit",
            "jaccard",
            "Jaccard on later visits against repeating the last prescription",
        ),
    ):
        differences = [
            result["models"].get(row, {}).get("difference", {}).get(group, {}).get(metric)
            for result in cohorts
        ]
        texts = [
            f"{title} {signed(turned(each), 3)}"
            for title, each in zip(titles, differences, strict=True)
            if each is not None
        ]
        if texts:
            parts.append(f"The student's {words}: {'; '.join(texts)}.")
    return "\n\n".join(parts)


def _cohort(result: Entry, evaluation: Entry) -> Iterator[str]:
    about, models = result["cohort"], result["models"]
    groups = next(iter(models.values()))["groups"]
    kind = "Synthetic data" if about["synthetic"] else "Real data, none of it trained on"
    patients, later = groups["overall"].get("patients", result["cases"]), groups["multi-visit"]
    cases = (
        f"{patients:,} patients"
        if patients == result["cases"]
        else f"{result['cases']:,} visits of {patients:,} patients"
    )
    note = f" {result['note']}" if result.get("note") else ""
    yield (
        f"## {about['label']}\n\n{kind}; split `{result['split']}`: {cases}, {groups['single-visit']['cases']:,} on their "
        f"first visit; cohort `{about['digest'][:12]}`.{note} Rows with ± are the mean over seeds "
        f"{', '.join(map(str, evaluation['seeds']))}. In brackets: the 95 % interval (bootstrap over patients); ±: standard "
        "deviation over seeds."
    )
    yield main_table(models, groups, result)
    if later["cases"] and any(entry.get("parts") for entry in models.values()):
        yield returning_table(models, later["cases"])
    yield differences_table(models, evaluation)
    yield "\n".join(
        [*_order(models, evaluation["reference"]), *claim_sentences(models, evaluation["reference"])]
    )
    yield codes_table(models, groups, evaluation)
    if text := groups_table(models, result, evaluation["few_below"]):
        yield text
    if any(entry["conformal"] for entry in models.values()):
        yield calibration_table(models)
    unnamed = next(iter(models.values()))["unnamed"]
    if unnamed["prescriptions"]:
        yield (
            f"{unnamed['prescriptions']:,} prescribed classes ({unnamed['share']:.1%}) are outside the models' "
            "vocabulary and count as missed."
        )


def _order(models: Entry, reference: str) -> Iterator[str]:
    """The order of the models, and which differences chance does not explain."""
    ranked = sorted(
        (e for e in models.values() if e["groups"]["overall"]["prauc"] and not is_calibrated(e)),
        key=lambda entry: -entry["groups"]["overall"]["prauc"]["value"],
    )
    order = ", ".join(f"{e['label']} {e['groups']['overall']['prauc']['value']:.4f}" for e in ranked)
    yield f"- In order of PRAUC: {order}."
    name = models[reference]["label"]
    labels: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for entry in compared(models):
        if (difference := entry["difference"]["overall"]["prauc"]) is not None:
            labels[_verdict(difference)].append(entry["label"])
    sentences = (
        (1, f"Ranked better than *{name}*"),
        (-1, f"Ranked worse than *{name}*"),
        (0, f"Not distinguishable from *{name}* on these cases"),
    )
    for verdict, sentence in sentences:
        if labels[verdict]:
            yield f"- {sentence}: {'; '.join(labels[verdict])}."


def _verdict(difference: Entry) -> int:
    """1 better, -1 worse, 0 where chance may explain the difference."""
    certain = difference["p"] < LEVEL and (difference["low"] > 0 or difference["high"] < 0)
    return 0 if not certain else 1 if difference["value"] > 0 else -1


@dataclass(frozen=True, slots=True)
class Claim:
    """What one would like to say of the reference against another row."""

    words: str
    row: str
    metric: str
    group: str


CLAIMS: Final = (
    Claim("ranks better than logistic regression", "logistic", "prauc", "overall"),
    Claim("ranks better than its teacher", "teacher", "prauc", "overall"),
    Claim(
        "on later visits ranks better than repeating the last prescription", "repeat", "prauc", "multi-visit"
    ),
    Claim("on later visits selects better than repeating it (Jaccard)", "repeat", "jaccard", "multi-visit"),
    Claim("on later visits selects better than repeating it (F1)", "repeat", "f1", "multi-visit"),
)
ANSWERS: Final = {1: "Holds", 0: "Not shown", -1: "Does not hold"}


def claim_sentences(models: Entry, reference: str) -> Iterator[str]:
    """Each claim, whether it holds on these cases, and the interval that says so."""
    name = models[reference]["label"]
    for claim in CLAIMS:
        difference = models.get(claim.row, {}).get("difference", {}).get(claim.group, {}).get(claim.metric)
        if difference is None:
            continue
        ours = turned(difference)
        yield (
            f"- {ANSWERS[_verdict(ours)]}: *{name}* {claim.words} ({ours['value']:+.4f}, "
            f"{ours['low']:+.4f} to {ours['high']:+.4f}; p {ours['p']:.4f})."
        )


def further_tables(evaluation: Entry) -> str:
    """What was measured in addition to the rows: parts of a case, explanations, the time that it took."""
    parts: list[str] = []
    if sections := evaluation.get("sections"):
        cases = next(iter(sections.values()))["cases"]
        parts.append(
            "## What the parts of a case are worth\n\n"
            f"The models of the first seed on {cases} later visits of validation patients, as they are and with a part left out "
            "or exchanged; nothing is trained again, so this says what a model uses. Difference with its 95 % interval by "
            f"bootstrap over patients.\n\n{parts_table(sections)}"
        )
    if faithful := evaluation.get("faithfulness"):
        counts = " and ".join(f"{result['cases']} cases for the {name}" for name, result in faithful.items())
        parts.append(f"{FAITHFUL}\n\nOne suggested class each, {counts}:\n\n{faithful_table(faithful)}")
        parts.append("\n".join(_faithful_sentences(faithful)))
    if seconds := evaluation.get("seconds"):
        parts.append(_times(seconds))
    return "\n\n".join(parts)


FAITHFUL: Final = """## Whether the explanations are faithful

Items are removed from a case in the order that an explanation gives them (deletion: the score should fall early), and
added to an empty case in that order (insertion: it should rise early). The shipped models on synthetic test cases; in
brackets the 95 % interval over cases. Neither says what would help a patient."""


def _faithful_sentences(results: Entry) -> Iterator[str]:
    """Whether each explanation beats random order."""
    for name, result in results.items():
        for method, title in (("removal", "removing one"), ("gradients", "integrated gradients")):
            better = {
                which: result[which][method]["better_than_random"] for which in ("deletion", "insertion")
            }
            sure = [which for which, each in better.items() if each["low"] > 0]
            verdict = (
                f"better than random order in {' and '.join(sure)}"
                if sure
                else "not shown better than random order"
            )
            yield f"- {name}, {title}: {verdict}."


def _times(seconds: Entry) -> str:
    """How long the tasks took."""
    longest = sorted(seconds.items(), key=lambda item: -item[1])[:5]
    names = ", ".join(f"{name} {each / 60:.0f} min" for name, each in longest)
    return (
        f"## How long it took\n\nThe commands of the {len(seconds)} tasks took {sum(seconds.values()) / 3600:.1f} h together, "
        f"some of them two at once; the longest: {names}."
    )


def _folds(result: Entry) -> Iterator[str]:
    """The models trained on the real patients alone."""
    yield (
        f"## Trained on {result['cohort']['label']}\n\nReal data, {result['folds']} folds of patients: each of the "
        f"{result['cases']:,} patients is judged by models that saw none of that patient. In brackets: the 95 % interval "
        "(bootstrap over patients)."
    )
    rows = [
        [entry["label"], *(interval(entry["groups"]["overall"][key]) for key, _ in FOLD_METRICS)]
        for entry in (result["models"][name] for name in result["order"])
    ]
    yield table(["model", *(label for _, label in FOLD_METRICS)], rows)
    yield "\n".join(f"- {sentence}" for sentence in fold_sentences(result))


def fold_sentences(result: Entry) -> list[str]:
    """What the folds over so few patients can say."""
    models = [result["models"][name] for name in result["order"]]
    overall = [entry["groups"]["overall"] for entry in models]
    width = sum(group["prauc"]["high"] - group["prauc"]["low"] for group in overall) / len(overall)
    sentences = [
        f"{overall[0]['patients']:,} patients give intervals of PRAUC about {width:.2f} wide: a difference smaller than "
        "that between separate studies means nothing.",
        f"Each model learned from {min(result['training_visits'])} to {max(result['training_visits'])} visits. "
        "That shows that the path runs on real tables, not what the method can do.",
    ]
    reference = result["models"][result["reference"]]
    words = {1: "better than", -1: "worse than", 0: "not distinguishable from"}
    for entry in models:
        if "difference" not in entry:
            continue
        prauc = entry["difference"]["overall"]["prauc"]
        sentences.append(
            f"{entry['label']}: {words[_verdict(prauc)]} *{reference['label']}* on the same patients "
            f"({prauc['value']:+.4f} PRAUC, {prauc['low']:+.4f} to {prauc['high']:+.4f}; p {prauc['p']:.4f})."
        )
    multi = reference["groups"]["multi-visit"]
    if multi["few"]:
        sentences.append(
            f"Only {multi['cases']} of the patients have an earlier visit: nothing here tests what the history is worth."
        )
    return sentences
