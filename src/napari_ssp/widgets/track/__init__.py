"""The Track dock: objects of a label movie become tracks."""
