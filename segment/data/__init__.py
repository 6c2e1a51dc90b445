"""Training data: tile folders, masks, splits and batches."""
