"""Fixtures of all tests of recordings."""

from tests.recording.disks import tiny_disk

__all__ = ["tiny_disk"]
