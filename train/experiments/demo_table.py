"""The demo's evaluation as Markdown, and its place in the README.

Figures only pass through here: they come as JSON from `demo_evaluation` and `realdata`, and nothing is computed but
the order in which sentences name them. No sentence claims more than an interval or a p-value says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.files import write_text

BEGIN: Final = "<!-- demo-figures:begin -->"
END: Final = "<!-- demo-figures:end -->"
LEVEL: Final = 0.05
CALIBRATED: Final = ", calibrated"  # how the labels of calibrated rows end
SHOWN_PROMISES: Final = ((0.5, 0.9), (0.8, 0.9), (0.9, 0.9), (0.9, 0.95))
FOLD_METRICS: Final = (("prauc", "PRAUC"), ("jaccard", "Jaccard"), ("f1", "F1"), ("ddi_rate", "DDI rate"))

Entry = Mapping[str, Any]


def markdown(evaluation: Entry) -> str:
    """Every table and the sentences below them."""
    parts = [text for found in evaluation["cohorts"].values() for text in _cohort(found, evaluation)]
    if evaluation.get("real-data"):
        parts += _folds(evaluation["real-data"])
    return "\n\n".join(parts)


def _cohort(found: Entry, evaluation: Entry) -> Iterator[str]:
    about, models = found["cohort"], found["models"]
    groups = next(iter(models.values()))["groups"]
    kind = "synthetic data" if about["synthetic"] else "real data, none of it trained on"
    yield (
        f"### {about['label']}\n\n{kind[0].upper()}{kind[1:]}; split `{found['split']}`: {found['cases']:,} patients, "
        f"{groups['single-visit']['cases']:,} on their first visit; cohort `{about['digest'][:12]}`. "
        "Rows with ± are the mean over seeds "
        f"{', '.join(map(str, evaluation['seeds']))}. In brackets: the 95 % interval (bootstrap over patients); "
        "±: standard deviation over seeds."
    )
    yield _main_table(models, groups, found)
    yield _differences(models, evaluation)
    yield "\n".join(_claims(models, evaluation["reference"]))
    yield _codes(models, groups, evaluation)
    if (text := _reliability(models)) is not None:
        yield text
    if remarks := list(_remarks(models)):
        yield "\n".join(remarks)


def _main_table(models: Entry, groups: Entry, found: Entry) -> str:
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
    rows = [
        [
            entry["label"],
            _interval(entry["groups"]["overall"]["prauc"], spread=True),
            _interval(entry["groups"]["single-visit"]["prauc"]),
            _interval(entry["groups"]["multi-visit"]["prauc"]),
            *(_interval(entry["groups"]["overall"][key]) for key in ("jaccard", "f1")),
            _value(entry["groups"]["overall"]["ddi_rate"], 4),
            _value(entry["groups"]["overall"]["medications"], 1),
            ", ".join(sorted({f"{cut:.2f}" for cut in entry["thresholds"]})),
        ]
        for entry in models.values()
    ]
    real = groups["overall"]
    prescribed = [f"{real['real_ddi_rate']:.4f}", f"{real['real_medications']:.1f}"]
    rows.append(["*really prescribed*", "", "", "", "", "", *prescribed, ""])
    density = f"The table of statistical interactions lists {found['interaction_density']:.1%} of all pairs of these classes."
    return f"{_table(header, rows)}\n\n{density}"


def _differences(models: Entry, evaluation: Entry) -> str:
    reference = models[evaluation["reference"]]["label"]
    header = [f"PRAUC against *{reference}*", "all", "p", "first visits", "later visits"]
    rows = []
    for entry in models.values():
        if (against := entry.get("difference")) is None or _is_calibrated(entry):
            continue
        cells = [against[group]["prauc"] for group in ("overall", "single-visit", "multi-visit")]
        p = "–" if cells[0] is None else f"{cells[0]['p']:.4f}"
        rows.append([entry["label"], _signed(cells[0]), p, _signed(cells[1]), _signed(cells[2])])
    method = evaluation["comparison"]
    return f"{_table(header, rows)}\n\n{method[0].upper()}{method[1:]}."


def _claims(models: Entry, reference: str) -> Iterator[str]:
    """What the table shows, in words: the order, and which differences chance does not explain."""
    ranked = sorted(
        (e for e in models.values() if e["groups"]["overall"]["prauc"] and not _is_calibrated(e)),
        key=lambda entry: -entry["groups"]["overall"]["prauc"]["value"],
    )
    order = ", ".join(f"{e['label']} {e['groups']['overall']['prauc']['value']:.4f}" for e in ranked)
    yield f"- In order of PRAUC: {order}."
    name = models[reference]["label"]
    found: dict[str, list[str]] = {"above": [], "below": [], "undecided": []}
    for entry in models.values():
        against = (entry.get("difference") or {}).get("overall", {}).get("prauc")
        if against is None or _is_calibrated(entry):
            continue
        certain = against["p"] < LEVEL and (against["low"] > 0 or against["high"] < 0)
        where = "undecided" if not certain else "above" if against["value"] > 0 else "below"
        found[where].append(entry["label"])
    sentences = {
        "above": f"Ranked better than *{name}*",
        "below": f"Ranked worse than *{name}*",
        "undecided": f"Not told apart from *{name}* by these cases",
    }
    for where, sentence in sentences.items():
        if found[where]:
            yield f"- {sentence}: {'; '.join(found[where])}."


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


def _reliability(models: Entry) -> str | None:
    calibrated = [(name, entry) for name, entry in models.items() if entry["conformal"]]
    if not calibrated:
        return None
    rows = []
    for name, entry in calibrated:
        plain = models[name.removesuffix("-calibrated")]
        kept = {(each["share"], each["confidence"]): each for each in entry["conformal"]}
        cells = [
            f"{kept[promise]['kept']:.3f} ({kept[promise]['medications']:.0f})" if promise in kept else "–"
            for promise in SHOWN_PROMISES
        ]
        rows.append([plain["label"], _mean(plain["ece"]), _mean(entry["ece"]), *cells])
    header = ["calibration, on these cases", "ECE before", "ECE after"]
    header += [f"{share:.0%} held, {confidence:.0%} promised" for share, confidence in SHOWN_PROMISES]
    note = (
        "ECE: expected calibration error over all pairs of case and class, 15 equal parts. Last columns: the share of "
        "cases whose conformal set holds that much of what was prescribed, and in brackets how many classes a set has."
    )
    return f"{_table(header, rows)}\n\n{note}"


def _remarks(models: Entry) -> Iterator[str]:
    for entry in models.values():
        unnamed = entry["unnamed"]
        if unnamed["prescriptions"]:
            yield (
                f"{unnamed['prescriptions']:,} prescribed classes ({unnamed['share']:.1%}) are outside the models' "
                "vocabulary and count as missed."
            )
            return


def _folds(found: Entry) -> Iterator[str]:
    about = found["cohort"]
    yield (
        f"### Trained on {about['label']}\n\nReal data, {found['folds']} folds of patients: each of the "
        f"{found['cases']:,} patients is judged by models that saw none of that patient. In brackets: the 95 % interval "
        "(bootstrap over patients)."
    )
    rows = [
        [entry["label"], *(_interval(entry["groups"]["overall"][key]) for key, _ in FOLD_METRICS)]
        for entry in (found["models"][name] for name in found["order"])
    ]
    yield _table(["model", *(label for _, label in FOLD_METRICS)], rows)
    yield "\n".join(f"- {sentence}" for sentence in found["words"])


def _is_calibrated(entry: Entry) -> bool:
    """Calibration does not change the order of a case's classes: ranking figures are those of the plain row."""
    return str(entry["label"]).endswith(CALIBRATED)


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


def _signed(found: Entry | None) -> str:
    return "–" if found is None else f"{found['value']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.4f}"


def write_into(readme: Path, text: str) -> None:
    """Replace what stands between the README's two marks.

    Raises:
        InputError: the README has lost its marks.
    """
    page = readme.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise InputError(
            f"{readme}: expected {BEGIN} and {END} once each, to put the figures between. Restore them."
        )
    pattern = re.escape(BEGIN) + r".*?" + re.escape(END)
    write_text(readme, re.sub(pattern, lambda _: f"{BEGIN}\n{text}\n{END}", page, flags=re.DOTALL))
