"""Files of objects: outlines, regions of interest, GeoJSON, tables."""
