"""Scenes of a command: how users name them, and the one scale that they share."""
