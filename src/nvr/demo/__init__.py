"""Cameras that need no camera: synthetic scenes with known truth, sent by a real RTSP server that can misbehave."""
