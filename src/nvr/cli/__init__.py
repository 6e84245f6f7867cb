"""The `nvr` command: options in, one sentence out."""
