"""Evaluation of predictions: every metric, beside baselines that need no learning, on scenes not used for training."""
