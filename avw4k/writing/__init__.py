"""Writing datasets: generation, forecast, verification, repair, merge, and the files next to the shards."""
