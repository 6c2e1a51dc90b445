"""Labelled images for training: found, surveyed, split, read, augmented and batched."""
