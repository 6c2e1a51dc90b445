"""Files of maps: cloud-optimised GeoTIFFs, class rasters, GeoPackages, QGIS styles, reports."""
