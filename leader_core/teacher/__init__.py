"""The teacher: a language model that reads a case as text and scores the medication vocabulary."""
