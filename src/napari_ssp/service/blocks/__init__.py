"""Segmentation of images of any size from file to file, block by block on any number of workers."""
