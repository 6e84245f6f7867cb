"""Where the parts are put together: what runs with what, in which process, and how it ends."""
