"""The long tests and their driver, `python -m tests.soak`."""
