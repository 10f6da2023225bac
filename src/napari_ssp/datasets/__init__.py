"""Published collections: tables of images, fetched, checked and prepared for training."""
