"""A small distribution of the chosen patients, as bars in HTML."""

from __future__ import annotations

from markupsafe import Markup

from dashboard.shared import markup
from dashboard.shared.formatting import count
from dashboard.shared.templates import render
from leader_core.cohort import Spread


def spread(distribution: Spread, label: str) -> Markup:
    """Bars with both ends named; every bar says its range and count."""
    counts, edges = distribution.counts, distribution.edges
    if not counts:
        return markup.note(f"{label}: nothing to show for these patients.")
    highest = max(counts) or 1
    whole = all(edge == int(edge) for edge in edges)

    def at(edge: float) -> str:
        return f"{edge:.0f}" if whole else f"{edge:.2f}"

    def interval(i: int) -> str:
        low, high = edges[i], edges[i + 1]
        if whole:
            return at(low) if high - low == 1 else f"{at(low)} to {at(high - 1)}"
        return f"{at(low)} to {at(high)}"

    bars = [
        (
            f"{max(3, 100 * number / highest) if number else 0:.0f}",
            f"{interval(i)}: {count(number, 'patient')}",
        )
        for i, number in enumerate(counts)
    ]
    fullest = max(range(len(counts)), key=counts.__getitem__)
    return render(
        "patients/spread.html",
        bars=bars,
        summary=f"{label} of {count(sum(counts), 'patient')}; most often {interval(fullest)}",
        missing=f" · {count(distribution.missing, 'patient')} without" if distribution.missing else "",
        first=at(edges[0]),
        last=at(edges[-1] - 1) if whole else at(edges[-1]),
    )
