"""The model pages: identity, metrics, checks and training."""
