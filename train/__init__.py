"""Commands, configuration and training loops over `leader_core`."""
