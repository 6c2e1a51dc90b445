"""Hyperparameter tuning: studies, their trials and samplers, on one machine or a cluster."""
