"""Exploration of labelled images before training: statistics, checks and a report."""
