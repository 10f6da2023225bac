"""Editors of values, and the forms made of them."""
