"""Keeps child processes running and ends them in order: knows nothing of cameras."""
