"""Cells, their nuclei and their cytoplasm, with the same numbers."""
