"""Network architectures, as plain torch modules that never download anything."""

import lazy_loader

# Names and where they lie are stated once, in the stub beside this file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
