"""Files of maps: pictures and polygons."""
