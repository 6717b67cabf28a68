"""Figures: functions from data to a figure or a drawing, without Streamlit."""
