"""Scoring of models and baselines and the tables made of it."""
