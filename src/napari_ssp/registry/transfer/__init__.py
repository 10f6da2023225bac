"""Downloads: resumed, verified, never half a file under its final name."""
