"""One report for a whole campaign: sweep points side by side, means over seeds, and which differences are chance."""
