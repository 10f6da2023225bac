"""Layers of napari as images, and results as layers."""
