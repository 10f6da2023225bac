"""The order in which pieces are made: each as soon as what it is made of is there."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    #: A step, and the key of one of its pieces.
    Piece = tuple[str, str]


class Order:
    """Pieces that are still to be made.

    Parameters
    ----------
    missing : sequence of (str, str)
        Step and key of each.
    needs : mapping
        Pieces that one is made of. It is made as soon as none of them is missing, before those
        that wait for nothing.
    """

    def __init__(self, missing: Sequence[Piece], needs: Mapping[Piece, set[Piece]]) -> None:
        lacking = set(missing)
        self._needs = {
            piece: open_needs for piece in missing if (open_needs := needs[piece] & lacking)
        }
        self._ready = deque(piece for piece in missing if piece not in self._needs)
        self._users: dict[Piece, list[Piece]] = {}
        for piece, others in self._needs.items():
            for other in others:
                self._users.setdefault(other, []).append(piece)

    def take(self) -> Piece | None:
        """Take the next piece; None where there is none, or none yet."""
        return self._ready.popleft() if self._ready else None

    def finish(self, piece: Piece) -> None:
        """Let pieces begin that waited for one."""
        for user in self._users.pop(piece, ()):
            self._needs[user].discard(piece)
            if not self._needs[user]:
                del self._needs[user]
                self._ready.appendleft(user)
