"""The demo models and their table, folds over real patients, and cross-fitted teacher states."""
