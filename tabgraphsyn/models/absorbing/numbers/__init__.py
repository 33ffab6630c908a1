"""Numbers in and out of the network: what known ones say of the others, and what unknown ones are drawn from."""
