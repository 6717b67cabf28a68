"""New rows beside kept ones: one more ablation does not cost the whole table.

Every row is compared with a reference that was trained beside it. Rows of two runs may stand in one table where both
judged the same patients and their references agree. Refuses to know how figures come about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from leader_core.errors import InputError
from train.experiments.demo_plan import LABELS

SAME: Final = ("seeds", "reference", "comparison", "rare_below", "few_below", "format")
AGREE: Final = 0.002
"""How far the references' PRAUC may lie apart for any one seed: two machines round differently, and training carries
that on; about what another seed changes."""
REMEDY: Final = "Rebuild the whole table: run the command without --rows."


def kept_evaluation(path: Path) -> Mapping[str, Any]:
    """The evaluation that new rows are to join.

    Raises:
        InputError: there is none, or it is not JSON.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no evaluation that rows could join ({error}). {REMEDY}") from error


def merged(kept: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`kept` with the rows of `new` added or put in the place of the same rows, the reference's aside.

    Raises:
        InputError: other patients, other seeds, another reference, or a cohort that only one of them was judged on.
    """
    for name in SAME:
        if kept.get(name) != new[name]:
            raise InputError(
                f"The kept table has {name} {kept.get(name)!r}, this run {new[name]!r}. {REMEDY}"
            )
    if set(kept["cohorts"]) != set(new["cohorts"]):
        raise InputError(
            f"The kept table was judged on {', '.join(kept['cohorts'])}, this run on {', '.join(new['cohorts'])}. "
            "Give --real as the kept run did, or rebuild the whole table without --rows."
        )
    cohorts = {
        name: _joined(name, found, new["cohorts"][name], kept["reference"])
        for name, found in kept["cohorts"].items()
    }
    return {**kept, "cohorts": cohorts}


def _joined(on: str, kept: Mapping[str, Any], new: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """One cohort's rows, in the order of the plan."""
    for name, before, now in (
        ("cohort", kept["cohort"]["digest"][:12], new["cohort"]["digest"][:12]),
        ("split", kept["split"], new["split"]),
        ("number of cases", kept["cases"], new["cases"]),
    ):
        if before != now:
            raise InputError(f"On {on} the kept table has the {name} {before}, this run {now}. {REMEDY}")
    before, now = (_seeds(found["models"][reference]) for found in (kept, new))
    if len(before) != len(now) or any(abs(a - b) > AGREE for a, b in zip(before, now, strict=True)):
        raise InputError(
            f"On {on} the row that all are compared with has PRAUC {before} in the kept table and {now} in this run: "
            f"more than {AGREE} apart. {REMEDY}"
        )
    rows = {**new["models"], **kept["models"], **{k: v for k, v in new["models"].items() if k != reference}}
    return {**kept, "models": {name: rows[name] for name in LABELS if name in rows}}


def _seeds(entry: Mapping[str, Any]) -> list[float]:
    """PRAUC seed by seed."""
    found = entry["groups"]["overall"]["prauc"]
    return list(found.get("seeds", [found["value"]]))
