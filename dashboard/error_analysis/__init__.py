"""Error analysis over stored scores: groups, tree, classes, curves, two models and annotations."""
