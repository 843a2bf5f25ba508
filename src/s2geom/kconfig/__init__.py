# SPDX-License-Identifier: MIT
"""Kernel configurations: the text of a `.config` in, a host and its release out.

`text` reads the lines of a file and says whether it is whole. `options` has the options
that give a fact, `facts` finds them in a file, and `release` the kernel's release.
`origins` has `Origin`, where a fact was found. `kernel_config` has `KernelConfig`, the
whole, and `ipa_sizes` has `IpaSizes`, the widths that such a kernel gives its guests.

New here: a `.config` option (in `options`), another format of configuration files.
"""

from typing import TYPE_CHECKING

from s2geom.core.public import door, homes

if TYPE_CHECKING:
    from s2geom.kconfig.ipa_sizes import IpaSizes as IpaSizes
    from s2geom.kconfig.kernel_config import KernelConfig as KernelConfig
    from s2geom.kconfig.origins import Origin as Origin
else:
    _ROOMS = {
        "ipa_sizes": ("IpaSizes",),
        "kernel_config": ("KernelConfig",),
        "origins": ("Origin",),
    }
    __getattr__ = door(__name__, homes(__name__, _ROOMS))
