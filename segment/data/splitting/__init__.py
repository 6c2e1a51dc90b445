"""Geometry of splits and crops: parts of tiles, and which of them are drawn, and where."""
