"""Commands about the objects of label files."""
