"""Training: data, augmentation, losses and the loop."""
