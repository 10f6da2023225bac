"""Critic's recipe: corrupted masks, and the error that the critic learns to predict."""
