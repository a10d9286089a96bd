"""What a dataset contains: the spec, the plan of shards and episodes, motion scripts, and presets."""
