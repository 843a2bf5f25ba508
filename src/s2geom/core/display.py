# SPDX-License-Identifier: MIT
"""Let a value show itself in a notebook, without knowing how.

This is the one import of the house that runs upward, and it is why it stands alone: a
value is at the bottom, its pictures are at the top, and a notebook asks the value. So
the module with the pictures is loaded when a notebook asks, and never before.
"""

from collections.abc import Collection


class Displayed:
    """What a notebook shows: the ``repr``, an HTML table and a picture."""

    __slots__ = ()

    def _repr_mimebundle_(
        self,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> dict[str, str]:
        from s2geom.show.notebook import mimebundle  # noqa: PLC0415 - upward, see above

        return mimebundle(self, include, exclude)
