"""Nikon ND2 files."""
