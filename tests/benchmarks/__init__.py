# SPDX-License-Identifier: MIT
"""Benchmarks, run by hand, and what a test holds of them."""
