"""Scores against the truth: of label images, of structures, of probabilities and rankings."""

import lazy_loader

# Names and where they lie are stated once, in the stub beside this file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
