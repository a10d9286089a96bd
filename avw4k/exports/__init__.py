"""A dataset in other formats: one file each, all behind `export`."""
