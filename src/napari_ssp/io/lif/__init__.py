"""Leica LIF files."""
