"""Windowed prediction over arrays of any size: normalise, cut into windows, blend, undo.

::

                         axis across
                  |<------ strip 0 ------>|
                             |<------ strip 1 ------>|
    rolling    |  [ written  ][ added to  ][ replaced ]
    axis       |  [ held sum of the current strip     ]
               v  [ not reached yet                   ]

- Windows overlap; the last of an axis is flush with its end. An axis shorter than a window is
  padded with zeros, the smaller half in front; what falls on padding is left out of the sum.
- Each view (mirrored, turned) has a layout of its own; places are those in the array, so all
  views fill one result.
- A window belongs to one strip, the one that it begins in. A strip is as long as the array on the
  rolling axis, four window lengths wide on the last axis across it, and one on any other.
- Within a strip windows come in order of their place on the rolling axis. What lies before the
  newest window is final in the strip's sum and is handed on: memory does not grow along that axis.
- Where an earlier strip reached, too, values are added to those written; elsewhere they replace.
- The blend weight of a pixel in a window is the importance there, divided by the sum over all
  windows of the view that cover the pixel, and by the number of views. The weights of a pixel add
  up to one, so the result is the plain sum of outputs times weights.
- When memory is short the batch is halved, then the window shrinks and all starts anew.
"""

import lazy_loader

from napari_ssp.engine.normalise import normalise as normalise  # its module has the same name

# Names and where they lie are stated once, in the stub beside this file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
