"""Training as a request: data, plan, steps, model, runs."""
