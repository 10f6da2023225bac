"""Objects followed over time: links between frames, tracks with divisions, files of them."""
