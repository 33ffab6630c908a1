"""Statistics on columns and tables that metrics share."""
