"""Rasters: reading, georeference, masks and their alignment, class tables."""
