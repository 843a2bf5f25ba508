# SPDX-License-Identifier: MIT
"""Kernel configurations: the text of a `.config` in, a host and its release out.

`text` reads the lines of a file and says whether it is whole; `config` has
`KernelConfig`, which finds page size, VA width and release in them, and `IpaSizes`, the
widths that such a kernel gives its guests.

New here: a `.config` option, another format of configuration files.
"""

from typing import TYPE_CHECKING

from s2geom.core.public import door, homes

if TYPE_CHECKING:
    from s2geom.kconfig.config import IpaSizes as IpaSizes
    from s2geom.kconfig.config import KernelConfig as KernelConfig
    from s2geom.kconfig.config import Origin as Origin
else:
    __getattr__ = door(
        __name__, homes(__name__, {"config": ("IpaSizes", "KernelConfig", "Origin")})
    )
