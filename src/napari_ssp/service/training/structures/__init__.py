"""Training on structures."""
