"""Export a dataset to other formats: one file per format, and `export` as their common entry."""
