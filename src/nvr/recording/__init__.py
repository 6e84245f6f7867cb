"""Recordings on disk: what is kept, where it lies, what goes when.

Files and their names are the truth, the index is a cache of the names. Coded media is written and read by `nvr.media`.
"""
