"""Criticism of labels: what a critic sees, and its maps pooled per object and per image."""
