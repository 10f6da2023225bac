"""BioImage.IO packages, read as data."""
