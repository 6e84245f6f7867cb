"""From images to boxes: networks, their heads, and a detector without weights."""
