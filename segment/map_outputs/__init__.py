"""Files of maps: polygons and the page."""
