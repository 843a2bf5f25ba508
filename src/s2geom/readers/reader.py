# SPDX-License-Identifier: MIT
"""`Reader`: what all sources of memory have in common."""

from abc import ABC, abstractmethod
from typing import Self


class Reader(ABC):
    """Physical memory that can be read, and closed.

    ``with`` closes it. `Reader.read` is what `walk` and `scan` want as their ``read``.

    .. versionadded:: 0.2.0
    """

    __slots__ = ()

    @abstractmethod
    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory.

        Args:
            address: Physical address of the first byte.
            size: How many, 0 or more.

        Raises:
            MemoryReadError: A byte is not there.
            InvalidArgument: The address or the size is negative, or the reader closed.
            TypeError: One of them is no integer.
        """

    def close(self) -> None:  # noqa: B027 - most readers have nothing to give back
        """Give back what was opened; more than once does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
