"""Models and sample videos: what they are, where they come from, where they lie on this machine."""
