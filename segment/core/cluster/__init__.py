"""Work on a Dask cluster: its workers, the tasks that they run, and scenes done in blocks."""
