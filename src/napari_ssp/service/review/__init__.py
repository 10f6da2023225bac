"""Review of labels: a critic's predicted errors, calibration, and what people decided."""
