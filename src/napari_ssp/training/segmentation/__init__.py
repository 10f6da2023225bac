"""MEDIAR's recipe: crops of labelled images, flows as targets, F1 as the score."""
