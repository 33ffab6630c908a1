"""From a command line to a recorded campaign, its plan and its run."""
