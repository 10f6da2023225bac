"""Student's and teacher's recipe: masks, their loss, and expansion on images without labels."""
