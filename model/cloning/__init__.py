"""A recurrent policy that is cloned from the oracle: its network, its demonstrations and its training."""
