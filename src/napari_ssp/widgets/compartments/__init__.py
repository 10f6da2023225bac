"""The Cells and nuclei dock."""
