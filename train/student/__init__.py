"""Training the student: its settings and its loop."""
