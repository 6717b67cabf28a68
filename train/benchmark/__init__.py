"""How fast and how large the real code paths are on this machine. One module per part, each run in its own process."""
