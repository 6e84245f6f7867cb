"""What every other package may use: errors, clocks, backoff, masking of credentials."""
