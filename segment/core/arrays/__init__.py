"""Images in memory (arrays, PIL images, DataArrays) as sources."""
