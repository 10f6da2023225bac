"""Corrected labels collected for training, part of the Train dock."""
