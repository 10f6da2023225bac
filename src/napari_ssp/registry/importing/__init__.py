"""Models taken in from files: recognised, proved, stored; nothing is executed."""
