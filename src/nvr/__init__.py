"""NVR multiplexer: one decode per camera, one batch for all cameras, one typed event stream."""

__version__ = "0.1.0"
