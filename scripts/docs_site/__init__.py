"""Pages of the documentation that are made of the code when the site is built: nothing of them is committed."""
