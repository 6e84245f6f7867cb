"""Objects followed from frame to frame. What a track means to people, zones and lines, is decided on top of it."""
