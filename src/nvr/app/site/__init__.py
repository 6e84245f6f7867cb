"""A whole installation on one machine, as `nvr up` runs it and `nvr status` sees it."""
