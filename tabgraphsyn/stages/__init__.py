"""One stage a file: config and inputs to artifacts."""
