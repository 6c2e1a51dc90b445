"""Annotations of scenes: masks and vector labels, and the tiles that are cut with them."""
