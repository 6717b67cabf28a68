"""Tables of the demo's evaluation as Markdown. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

CONFORMAL: Final = ((0.5, 0.9), (0.8, 0.9), (0.9, 0.9), (0.9, 0.95))  # share covered, confidence
PARTS: Final = ("continued", "started")
WHOLE: Final = "as it is"  # the case with all its parts

Entry = Mapping[str, Any]


def main_table(models: Entry, groups: Entry, result: Entry) -> str:
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
                interval(overall["prauc"], spread=True),
                *(interval(entry["groups"][name]["prauc"]) for name in ("single-visit", "multi-visit")),
                *(interval(overall[metric]) for metric in ("jaccard", "f1")),
                value(overall["ddi_rate"], 4),
                value(overall["medications"], 1),
                ", ".join(sorted({f"{threshold:.2f}" for threshold in entry["thresholds"]})),
            ]
        )
    real = groups["overall"]
    prescribed = [f"{real['real_ddi_rate']:.4f}", f"{real['real_medications']:.1f}"]
    rows.append(["*really prescribed*", "", "", "", "", "", *prescribed, ""])
    density = f"{result['interaction_density']:.1%}"
    return (
        f"{table(header, rows)}\n\n"
        f"The table of statistical interactions lists {density} of all pairs of these classes."
    )


def returning_table(models: Entry, cases: int) -> str:
    """Later visits: what is selected, and apart what was already taken at the visit before and what was not."""
    header = [f"{cases:,} later visits", "Jaccard", "F1"]
    header += [f"{name}, {part}" for part in PARTS for name in ("PRAUC", "F1")]
    rows = []
    for entry in models.values():
        if is_calibrated(entry) or not entry.get("parts"):
            continue
        later = entry["groups"]["multi-visit"]
        cells = [later["jaccard"], later["f1"]]
        cells += [entry["parts"][part][metric] for part in PARTS for metric in ("prauc", "f1")]
        rows.append([entry["label"], *map(interval, cells)])
    note = (
        "*Continued*: only the classes of the visit before are ranked, selected and counted as prescribed; *started*: only "
        "all other classes. A case where nothing was continued (or started) has no PRAUC in that part, and its F1 is 1 where "
        "nothing of the part was selected either, else 0. The cut-off is the one for all classes."
    )
    return f"{table(header, rows)}\n\n{note}"


def differences_table(models: Entry, evaluation: Entry) -> str:
    reference = models[evaluation["reference"]]["label"]
    header = [f"PRAUC against *{reference}*", "all", "p", "first visits", "later visits"]
    header += [f"{name}, later visits" for name in ("Jaccard", "F1")]
    rows = []
    for entry in compared(models):
        overall, *visits = (
            entry["difference"][group]["prauc"] for group in ("overall", "single-visit", "multi-visit")
        )
        p = "–" if overall is None else f"{overall['p']:.4f}"
        selected = [entry["difference"]["multi-visit"].get(metric) for metric in ("jaccard", "f1")]
        rows.append([entry["label"], signed(overall), p, *map(signed, [*visits, *selected])])
    method = evaluation["comparison"]
    return f"{table(header, rows)}\n\n{method[0].upper()}{method[1:]}."


def codes_table(models: Entry, groups: Entry, evaluation: Entry) -> str:
    names = ("codes=common", "codes=rare", "codes=unseen")
    titles = [f"{name.split('=')[1]} ({groups[name]['cases']:,} cases)" for name in names]
    rows = [
        [entry["label"], *(interval(entry["groups"][name]["prauc"]) for name in names)]
        for entry in models.values()
        if not is_calibrated(entry)
    ]
    few = [name.split("=")[1] for name in names if groups[name]["few"]]
    note = (
        f"Cases by the rarest diagnosis or procedure of the current visit: *rare* is a code that fewer than "
        f"{evaluation['rare_below']} training patients have, *unseen* one that none has, and a case with both is "
        "*unseen*."
    )
    if few:
        note += f" Fewer than {evaluation['few_below']} cases, too few to read: {', '.join(few)}."
    return f"{table(['PRAUC by code', *titles], rows)}\n\n{note}"


def groups_table(models: Entry, result: Entry, few_below: int) -> str:
    """By ICD version and by time, where the cases have both."""
    groups = next(iter(models.values()))["groups"]
    pairs = (("icd=9", "icd=10"), ("time=earlier", "time=later"))
    year = result.get("last_early_year", 0)
    titles = {
        "icd=9": "ICD-9",
        "icd=10": "ICD-10",
        "time=earlier": f"admitted up to {year}",
        "time=later": f"admitted from {year + 1}",
    }
    names = [
        name for pair in pairs if all(groups.get(each, {}).get("cases") for each in pair) for name in pair
    ]
    note = (
        ""
        if year
        else "No split by time: the source tells no year of the calendar, or one alone (MIMIC-III shifts all dates)."
    )
    if not names:
        return note
    header = ["PRAUC by group", *(f"{titles[name]} ({groups[name]['cases']:,} cases)" for name in names)]
    rows = [
        [entry["label"], *(interval(entry["groups"][name]["prauc"]) for name in names)]
        for entry in models.values()
        if not is_calibrated(entry)
    ]
    if year:
        note = (
            "By the ICD version of the visit's diagnoses, and by the year of the calendar that halves the cases best (of "
            "MIMIC-IV the middle of the three years that its shifted dates leave open)."
        )
    if few := [titles[name] for name in names if groups[name]["few"]]:
        note += f" Fewer than {few_below} cases, too few to read: {', '.join(few)}."
    return f"{table(header, rows)}\n\n{note}"


def calibration_table(models: Entry) -> str:
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
    return f"{table(header, rows)}\n\n{note}"


def parts_table(sections: Entry) -> str:
    """What the parts of a case are worth to each model."""
    names = sorted(
        {name for each in sections.values() for name in each["parts"]}, key=lambda name: (name != WHOLE, name)
    )
    header = ["validation, later visits", *(f"{kind}: PRAUC" for kind in sections)]
    header += [f"{kind}: difference" for kind in sections]
    rows = []
    for name in names:
        cells = [each["parts"].get(name) for each in sections.values()]
        values = ["–" if cell is None else value(cell["prauc"], 4) for cell in cells]
        rows.append(
            [name, *values, *(signed(((cell or {}).get("difference") or {}).get("prauc")) for cell in cells)]
        )
    return table(header, rows)


def faithful_table(results: Entry) -> str:
    """Areas under the curves of deletion and insertion, by model and order."""
    titles = {"removal": "removing one", "gradients": "integrated gradients", "random": "random"}
    rows = [
        [
            f"{name}, {title}",
            *(_mean_of(result[which][method]["area"]) for which in ("deletion", "insertion")),
        ]
        for name, result in results.items()
        for method, title in titles.items()
    ]
    header = [
        "model, order",
        "mean score during deletion (lower is better)",
        "during insertion (higher is better)",
    ]
    return table(header, rows)


def _mean_of(area: Entry) -> str:
    return f"{area['mean']:.3f} ({area['low']:.3f} to {area['high']:.3f})"


def compared(models: Entry) -> Iterator[Entry]:
    """Rows with a difference from the reference; calibration changes no ranking, so it has no row here."""
    return (e for e in models.values() if e.get("difference") is not None and not is_calibrated(e))


def is_calibrated(entry: Entry) -> bool:
    return str(entry["label"]).endswith(", calibrated")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def value(score: Entry | None, digits: int) -> str:
    return "–" if score is None else f"{score['value']:.{digits}f}"


def interval(score: Entry | None, *, spread: bool = False) -> str:
    if score is None:
        return "–"
    seeds = f" ± {score['seed_std']:.4f}" if spread and score.get("seed_std") is not None else ""
    return f"{score['value']:.4f}{seeds} ({score['low']:.4f} to {score['high']:.4f})"


def signed(difference: Entry | None, digits: int = 4) -> str:
    if difference is None:
        return "–"
    number, low, high = (f"{difference[name]:+.{digits}f}" for name in ("value", "low", "high"))
    return f"{number} ({low} to {high})"


def turned(difference: Entry) -> Entry:
    """The same difference seen from the other side."""
    return {
        **difference,
        "value": -difference["value"],
        "low": -difference["high"],
        "high": -difference["low"],
    }


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.4f}"
