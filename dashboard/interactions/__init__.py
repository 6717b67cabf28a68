"""Interactions of a set of medications: pairs, conditions, graph, matrix, safer set and structures."""
