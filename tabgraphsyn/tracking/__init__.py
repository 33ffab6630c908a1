"""Where metrics of a running stage go."""
