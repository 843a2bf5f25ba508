# SPDX-License-Identifier: MIT
"""The documentation's calculator in a real browser."""
