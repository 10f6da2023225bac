"""Batches of images: done one by one, again where that may help, and reported."""
