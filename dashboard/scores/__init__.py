"""The models' scores of one case: comparison table, explanations, similar patients, trust and notes."""
