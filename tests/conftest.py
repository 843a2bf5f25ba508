# SPDX-License-Identifier: MIT
"""How hypothesis runs here: the same examples each time, unless it is told to explore.

``HYPOTHESIS_PROFILE=explore`` looks for new examples, many of them, and prints what
reproduces a failure. Everything else, continuous integration and a local run alike,
takes the profile ``ci``: a red test is red for everyone.
"""

import os

from hypothesis import settings

settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, max_examples=60
)
settings.register_profile(
    "explore",
    derandomize=False,
    deadline=None,
    database=None,
    max_examples=2000,
    print_blob=True,
)

EVERYTHING = "CI" in os.environ or "S2GEOM_ALL" in os.environ
"""Whether this is the gate: then nothing is random, whatever else is set."""

settings.load_profile(
    "ci" if EVERYTHING else os.environ.get("HYPOTHESIS_PROFILE", "ci")
)
