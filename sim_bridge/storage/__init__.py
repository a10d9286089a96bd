"""Files on disk: atomic writes, JSON lines that grow, locks, checks of untrusted HDF5, and readable errors."""
