"""Segmentation and prediction by BioImage.IO packages."""
