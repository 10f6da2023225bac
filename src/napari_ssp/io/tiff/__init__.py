"""TIFF files: plain, ImageJ, OME-TIFF."""
