"""Figures: functions from data to a figure or a drawing, without Streamlit.

Pandas is imported whole before any of them: Plotly looks into it as soon as another thread has begun to import it.
"""

from importlib import import_module

import_module("pandas")
