"""One patient: profile, visits and the models' scores."""
