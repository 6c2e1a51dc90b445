"""Model folders, networks and their weights: reading, running, converting and exporting."""
