"""Pretrained encoders: their weights found, read as data, and put into a new network."""
