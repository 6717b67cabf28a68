"""What codes mean: ICD titles and hierarchy, ATC classes, drug strings to ATC."""
