"""Mapping of scenes on a Dask cluster."""
