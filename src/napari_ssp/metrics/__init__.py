"""Scores against the truth: of label images (objects) and of predicted structures."""

import lazy_loader

# Names and where they lie are stated once, in the stub beside this file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
