"""A trained generator as plain files, and what must hold before anything of it is loaded."""
