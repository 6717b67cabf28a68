"""The list of pairs as a browser component: groups by severity, a search in the browser, the chosen row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from dashboard.interactions import review_text
from dashboard.interactions.review_text import Group, Title
from dashboard.shared import theme, wording
from dashboard.shared.browser import component, nothing
from leader_core import Interaction

RULED_OUT: Final = "Not carried by the drugs ordered"
_ALWAYS_OPEN: Final = 30


def show(groups: Sequence[dict[str, Any]], *, chosen: str, subject: str, key: str, empty: str) -> str | None:
    """Draw the groups; gives the id ("A02B-B01A") of a row that was just opened."""
    result = component("interactions/pairs")(
        key=key,
        data={
            "groups": list(groups),
            "chosen": chosen,
            "subject": subject,
            "nothing": empty,
            "search": sum(len(group["rows"]) for group in groups) > 5,
        },
        on_opened_change=nothing,
    )
    return None if result.opened is None else str(result.opened)


def groups_of(groups: Iterable[Group], titles: Title) -> list[dict[str, Any]]:
    """What the component draws of graded pairs; long groups of lesser severity start folded."""
    made = []
    for group in groups:
        ruled_out = group.key == "ruled out"
        carried = sum(pair.standing == "ordered" for pair in group.pairs)
        made.append(
            {
                "key": group.key,
                "severity": "unknown" if ruled_out else group.key,
                "icon": "○" if ruled_out else theme.SEVERITY_ICONS[group.key],
                "label": RULED_OUT if ruled_out else wording.SEVERITY_LABELS[group.key],
                "hint": "listed for other drugs of these classes"
                if ruled_out
                else f"{carried} with the drugs ordered"
                if carried
                else "",
                "folded": ruled_out
                or (group.key in ("moderate", "minor") and len(group.pairs) > _ALWAYS_OPEN),
                "rows": [review_text.row(pair, titles) for pair in group.pairs],
            }
        )
    return made


def signals_of(signals: Sequence[Interaction], titles: Title) -> list[dict[str, Any]]:
    """What the component draws of the statistical signal: one group, without severity."""
    rows = [review_text.signal_row(entry, titles) for entry in signals]
    label = wording.SEVERITY_LABELS["unknown"]
    return (
        [
            {
                "key": "unknown",
                "severity": "unknown",
                "icon": theme.SEVERITY_ICONS["unknown"],
                "label": label,
                "hint": "",
                "folded": False,
                "rows": rows,
            }
        ]
        if rows
        else []
    )
