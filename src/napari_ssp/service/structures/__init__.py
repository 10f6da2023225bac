"""Prediction of structures of a stack: plan, steps, gates."""
