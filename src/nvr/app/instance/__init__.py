"""One processor instance as a program of its own: the processor, what records, steers and observes it."""
