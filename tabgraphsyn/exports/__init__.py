"""What leaves: a finished sweep point as a folder or archive for a reviewer, checked and computed again from it."""
