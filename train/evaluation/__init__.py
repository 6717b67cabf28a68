"""Scoring of models and baselines and the tables of its results."""
