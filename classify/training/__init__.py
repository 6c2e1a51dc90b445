"""Training, evaluation and export of scene classifiers."""
