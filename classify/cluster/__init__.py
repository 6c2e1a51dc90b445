"""Labelling of scenes on a Dask cluster."""
