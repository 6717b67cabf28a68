"""What the server shares between sessions: the engine, settings, warm-up, training runs and the workspace."""
