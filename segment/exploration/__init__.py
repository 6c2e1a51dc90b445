"""Exploration of tile folders before training."""
