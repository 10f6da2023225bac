"""The Classes dock: objects get classes by a key, and the others those that they are most like."""
