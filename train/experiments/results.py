"""The demo's evaluation as Markdown: `RESULTS.md` next to `evaluation.json`, and the README's table.

Nothing is computed here. No sentence claims more than an interval or a p-value says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.files import write_text
from leader_core.outputs import RESULTS_PAGE

TEMPLATE: Final = Path(__file__).with_name("results.md")
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
)
"""Rows of the README's table."""
CONFORMAL: Final = ((0.5, 0.9), (0.8, 0.9), (0.9, 0.9), (0.9, 0.95))  # share covered, confidence
FOLD_METRICS: Final = (("prauc", "PRAUC"), ("jaccard", "Jaccard"), ("f1", "F1"), ("ddi_rate", "DDI rate"))

Entry = Mapping[str, Any]


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
    """Write `assets/RESULTS.md` from `assets/evaluation.json`, and the README's table where it has the two markers.

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
    return template.substitute(tables=tables(evaluation))


def tables(evaluation: Entry) -> str:
    """Every table and the verdicts below them."""
    parts = [text for result in evaluation["cohorts"].values() for text in _cohort(result, evaluation)]
    if evaluation.get("real-data"):
        parts += _folds(evaluation["real-data"])
    return "\n\n".join(parts)


def summary(evaluation: Entry) -> str:
    """PRAUC of the main rows on every cohort, with intervals."""
    cohorts = list(evaluation["cohorts"].values())
    titles = [
        "PRAUC, synthetic test" if result["cohort"]["synthetic"] else "PRAUC, MIMIC-III demo"
        for result in cohorts
    ]
    rows = []
    for name in SUMMARY:
        if any(name not in result["models"] for result in cohorts):
            continue  # not measured with these models
        entries = [result["models"][name] for result in cohorts]
        seeds = len(entries[0]["seeds"])
        label = entries[0]["label"] + (f" ({seeds} seeds)" if seeds > 1 else "")
        rows.append([label, *(_interval(entry["groups"]["overall"]["prauc"]) for entry in entries)])
    return _table(["model", *titles], rows)


def _cohort(result: Entry, evaluation: Entry) -> Iterator[str]:
    about, models = result["cohort"], result["models"]
    groups = next(iter(models.values()))["groups"]
    kind = "Synthetic data" if about["synthetic"] else "Real data, none of it trained on"
    yield (
        f"## {about['label']}\n\n{kind}; split `{result['split']}`: {result['cases']:,} patients, "
        f"{groups['single-visit']['cases']:,} on their first visit; cohort `{about['digest'][:12]}`. "
        f"Rows with ± are the mean over seeds {', '.join(map(str, evaluation['seeds']))}. In brackets: the 95 % interval "
        "(bootstrap over patients); ±: standard deviation over seeds."
    )
    yield _main_table(models, groups, result)
    if earlier := [models[name]["label"] for name in evaluation.get("earlier", ()) if name in models]:
        yield (
            f"Measured in an earlier run on the same patients, and not compared again: {'; '.join(earlier)}. Ablations of an "
            "earlier student are left out: they say nothing of this one."
        )
    yield _differences(models, evaluation)
    yield "\n".join(_verdicts(models, evaluation["reference"]))
    yield _codes(models, groups, evaluation)
    if any(entry["conformal"] for entry in models.values()):
        yield _calibration(models)
    unnamed = next(iter(models.values()))["unnamed"]
    if unnamed["prescriptions"]:
        yield (
            f"{unnamed['prescriptions']:,} prescribed classes ({unnamed['share']:.1%}) are outside the models' "
            "vocabulary and count as missed."
        )


def _main_table(models: Entry, groups: Entry, result: Entry) -> str:
    header = [
        "model",
        "PRAUC",
        "first visits",
        "later visits",
        "Jaccard",
        "F1",
        "DDI rate",
        "classes",
        "cut-off",
    ]
    rows = []
    for entry in models.values():
        overall = entry["groups"]["overall"]
        rows.append(
            [
                entry["label"],
                _interval(overall["prauc"], spread=True),
                *(_interval(entry["groups"][name]["prauc"]) for name in ("single-visit", "multi-visit")),
                *(_interval(overall[metric]) for metric in ("jaccard", "f1")),
                _value(overall["ddi_rate"], 4),
                _value(overall["medications"], 1),
                ", ".join(sorted({f"{threshold:.2f}" for threshold in entry["thresholds"]})),
            ]
        )
    real = groups["overall"]
    prescribed = [f"{real['real_ddi_rate']:.4f}", f"{real['real_medications']:.1f}"]
    rows.append(["*really prescribed*", "", "", "", "", "", *prescribed, ""])
    density = f"{result['interaction_density']:.1%}"
    return (
        f"{_table(header, rows)}\n\n"
        f"The table of statistical interactions lists {density} of all pairs of these classes."
    )


def _differences(models: Entry, evaluation: Entry) -> str:
    reference = models[evaluation["reference"]]["label"]
    header = [f"PRAUC against *{reference}*", "all", "p", "first visits", "later visits"]
    rows = []
    for entry in _compared(models):
        overall, *visits = (
            entry["difference"][group]["prauc"] for group in ("overall", "single-visit", "multi-visit")
        )
        p = "–" if overall is None else f"{overall['p']:.4f}"
        rows.append([entry["label"], _signed(overall), p, *map(_signed, visits)])
    method = evaluation["comparison"]
    return f"{_table(header, rows)}\n\n{method[0].upper()}{method[1:]}."


def _verdicts(models: Entry, reference: str) -> Iterator[str]:
    """The order of the models, and which differences chance does not explain."""
    ranked = sorted(
        (e for e in models.values() if e["groups"]["overall"]["prauc"] and not _is_calibrated(e)),
        key=lambda entry: -entry["groups"]["overall"]["prauc"]["value"],
    )
    order = ", ".join(f"{e['label']} {e['groups']['overall']['prauc']['value']:.4f}" for e in ranked)
    yield f"- In order of PRAUC: {order}."
    name = models[reference]["label"]
    labels: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for entry in _compared(models):
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


def _codes(models: Entry, groups: Entry, evaluation: Entry) -> str:
    names = ("codes=common", "codes=rare", "codes=unseen")
    titles = [f"{name.split('=')[1]} ({groups[name]['cases']:,} cases)" for name in names]
    rows = [
        [entry["label"], *(_interval(entry["groups"][name]["prauc"]) for name in names)]
        for entry in models.values()
        if not _is_calibrated(entry)
    ]
    few = [name.split("=")[1] for name in names if groups[name]["few"]]
    note = (
        f"Cases by the rarest diagnosis or procedure of the current visit: *rare* is a code that fewer than "
        f"{evaluation['rare_below']} training patients have, *unseen* one that none has, and a case with both is "
        "*unseen*."
    )
    if few:
        note += f" Fewer than {evaluation['few_below']} cases, too few to read: {', '.join(few)}."
    return f"{_table(['PRAUC by code', *titles], rows)}\n\n{note}"


def _calibration(models: Entry) -> str:
    rows = []
    for name, entry in models.items():
        if not entry["conformal"]:
            continue
        plain = models[name.removesuffix("-calibrated")]
        sets = {(each["share"], each["confidence"]): each for each in entry["conformal"]}
        cells = [
            f"{sets[level]['kept']:.3f} ({sets[level]['medications']:.0f})" if level in sets else "–"
            for level in CONFORMAL
        ]
        rows.append([plain["label"], _mean(plain["ece"]), _mean(entry["ece"]), *cells])
    header = ["calibration, on these cases", "ECE before", "ECE after"]
    header += [f"{share:.0%} covered, aim {confidence:.0%} of cases" for share, confidence in CONFORMAL]
    note = (
        "ECE: expected calibration error over all pairs of case and class, 15 equal parts. Last columns: the share of "
        "cases whose conformal set covers that much of what was prescribed, and in brackets the classes in a set."
    )
    return f"{_table(header, rows)}\n\n{note}"


def _folds(result: Entry) -> Iterator[str]:
    """The models trained on the real patients alone."""
    yield (
        f"## Trained on {result['cohort']['label']}\n\nReal data, {result['folds']} folds of patients: each of the "
        f"{result['cases']:,} patients is judged by models that saw none of that patient. In brackets: the 95 % interval "
        "(bootstrap over patients)."
    )
    rows = [
        [entry["label"], *(_interval(entry["groups"]["overall"][key]) for key, _ in FOLD_METRICS)]
        for entry in (result["models"][name] for name in result["order"])
    ]
    yield _table(["model", *(label for _, label in FOLD_METRICS)], rows)
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


def _compared(models: Entry) -> Iterator[Entry]:
    """Rows with a difference from the reference; calibration changes no ranking, so it has no row here."""
    return (e for e in models.values() if e.get("difference") is not None and not _is_calibrated(e))


def _is_calibrated(entry: Entry) -> bool:
    return str(entry["label"]).endswith(", calibrated")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _value(score: Entry | None, digits: int) -> str:
    return "–" if score is None else f"{score['value']:.{digits}f}"


def _interval(score: Entry | None, *, spread: bool = False) -> str:
    if score is None:
        return "–"
    seeds = f" ± {score['seed_std']:.4f}" if spread and score.get("seed_std") is not None else ""
    return f"{score['value']:.4f}{seeds} ({score['low']:.4f} to {score['high']:.4f})"


def _signed(difference: Entry | None) -> str:
    if difference is None:
        return "–"
    return f"{difference['value']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f})"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.4f}"
