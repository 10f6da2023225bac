"""Segmentation of an image: plan, steps, blocks, volumes, links, refinement."""
