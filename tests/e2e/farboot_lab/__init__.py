"""Parts of the end-to-end tests and of the demo: a virtual site, the real programs in it, fake and virtual machines."""
