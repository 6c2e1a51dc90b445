"""Rasters: reading, georeference, class tables, and the files that maps are written to."""
