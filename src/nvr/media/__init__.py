"""Video in: packets, frames and their time; the only package that imports PyAV."""
