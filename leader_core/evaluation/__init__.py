"""How good a model is: metrics, intervals, calibration, comparison, and checks of a served model."""
