"""OME-Zarr (NGFF), versions 0.1 to 0.5."""
