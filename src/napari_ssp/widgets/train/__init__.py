"""The Train dock."""
