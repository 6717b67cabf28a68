"""The button that gives the whole analysis as one HTML file."""

from __future__ import annotations

from dashboard.components.errors_parts import View


def button(view: View) -> None:
    """Draw it."""
