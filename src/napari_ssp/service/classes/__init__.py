"""Classes of objects, learnt from examples."""
