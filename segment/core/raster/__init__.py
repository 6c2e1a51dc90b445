"""Rasters: reading, georeference, grids and their alignment."""
