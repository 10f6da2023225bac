"""Ground of all docks: jobs, progress, messages, their place in the window."""
