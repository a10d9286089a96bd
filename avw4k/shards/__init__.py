"""The files of a dataset: HDF5 shards, the manifest, and locks."""
