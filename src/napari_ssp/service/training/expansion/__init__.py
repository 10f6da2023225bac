"""Training of teachers and students, and expansion on images without labels."""
