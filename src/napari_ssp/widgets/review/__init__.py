"""The Review dock: where labels are wrong, object by object, and what a person decides."""
