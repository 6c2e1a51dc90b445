"""Mapping of scenes with a trained model: class raster, pictures, polygons and report."""
