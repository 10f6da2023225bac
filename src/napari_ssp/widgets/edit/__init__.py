"""The Edit dock: objects added, split and joined by a click or a stroke."""
