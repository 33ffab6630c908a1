"""What can be read of a store and its campaigns: status, hours, reports, and what could be deleted."""
