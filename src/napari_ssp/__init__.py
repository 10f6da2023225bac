"""Interactive microscopy prediction: cell segmentation and fluorescent structures.

Importing this package loads neither torch nor Qt; its names load what they need on first use.
"""

import lazy_loader

__version__ = "0.1.0"

# Names and where they lie are stated once, in the stub beside this file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
