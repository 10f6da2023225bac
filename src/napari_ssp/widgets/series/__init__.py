"""The Series dock."""
