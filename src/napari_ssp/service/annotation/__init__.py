"""Labels and stacks kept in a training set while the user corrects them."""
