"""Files of tracks: the folder of the Cell Tracking Challenge, and GEFF."""
