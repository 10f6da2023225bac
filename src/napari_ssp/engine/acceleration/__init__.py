"""Acceleration of networks that only predict: the same outputs but for rounding, in less time."""
