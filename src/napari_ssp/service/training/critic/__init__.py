"""Training of critics: true labels with planted faults, and labels that models got wrong."""
