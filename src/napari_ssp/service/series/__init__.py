"""Series of images: segmented, corrected and measured one after the other."""
